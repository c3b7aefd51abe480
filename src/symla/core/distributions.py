"""Distributions of actions: how a learning algorithm's outputs become an action."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.networks import dot
from symla.core.types import Action, PRNGKey


def sample_action(key: PRNGKey, logits: Float[Array, " B"]) -> Action:
    """Sample from softmax(logits) by inverting its cumulative distribution: one uniform number."""
    probability = jax.nn.softmax(logits)
    if logits.size <= 64:  # one small product is faster than a scan
        cumulative = dot(probability, jnp.triu(jnp.ones((logits.size, logits.size))))
    else:
        cumulative = jnp.cumsum(probability)
    threshold = jax.random.uniform(key) * cumulative[-1]
    return jnp.sum(cumulative[:-1] <= threshold, dtype=jnp.int32)
