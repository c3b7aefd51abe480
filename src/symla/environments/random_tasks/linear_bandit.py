"""Linear bandits: contexts are vectors, and what an action pays is linear in them."""

import jax
import jax.numpy as jnp

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import Bounds, Draw, of_system, whole_number


def linear_bandit(key: PRNGKey, bounds: Bounds) -> Draw:
    """A context x of 1 to D independent numbers a step; action a pays payoff[a] . x."""
    keys = jax.random.split(key, 3)
    B, D = bounds.actions, bounds.dimensions
    size = whole_number(keys[0], 1, D)
    real = (jnp.arange(D) < size).astype(jnp.float32)
    payoff = jax.random.normal(keys[1], (B, D)) / jnp.sqrt(size.astype(jnp.float32))
    actions = whole_number(keys[2], 2, B)
    no_pay = jnp.zeros(())
    parts = {"payoff": payoff * real[None], "noise": real, "start": real}
    return of_system(bounds, actions, no_pay, **parts)
