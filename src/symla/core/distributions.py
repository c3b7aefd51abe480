"""Distributions of actions: how a learning algorithm's outputs become an action."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.networks import dot
from symla.core.types import Action, PRNGKey, Scalar

NOT_FINITE = -1  # the "action" sampled from logits that are not finite: no action at all


def sample_action(key: PRNGKey, logits: Float[Array, " B"]) -> Action:
    """Sample from softmax(logits) by inverting its cumulative distribution: one uniform number.

    Logits that are not finite give NOT_FINITE, which `lifetime` turns into rewards that are NaN: a
    policy that diverged must not look like one that prefers action 0.
    """
    finite = jnp.all(jnp.isfinite(logits))  # not later: XLA's exp on CPUs may lose a NaN
    probability = jax.nn.softmax(logits)
    if logits.size <= 64:  # one small product is faster than a scan
        cumulative = dot(probability, jnp.triu(jnp.ones((logits.size, logits.size))))
    else:
        cumulative = jnp.cumsum(probability)
    threshold = jax.random.uniform(key) * cumulative[-1]
    action = jnp.sum(cumulative[:-1] <= threshold, dtype=jnp.int32)
    return jnp.where(finite, action, NOT_FINITE)


def log_probability_and_entropy(
    logits: Float[Array, " B"], action: Action
) -> tuple[Scalar, Scalar]:
    """log p(action) and the entropy -sum p log p of softmax(logits), in nats."""
    log = jax.nn.log_softmax(logits)
    chosen = jnp.sum(jnp.where(jnp.arange(log.size) == action, log, 0.0))
    return chosen, -jnp.sum(jnp.exp(log) * log)
