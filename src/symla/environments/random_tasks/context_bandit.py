"""Context bandits: what to do depends on what is seen, and what is seen next on nothing."""

import jax
import jax.numpy as jnp

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import Bounds, Draw, below, of_table, whole_number


def context_bandit(key: PRNGKey, bounds: Bounds) -> Draw:
    """1 to S contexts, 2 to B arms, each pull an episode or none. Either every arm of a context
    pays 1 with a probability of its own, or one of them always does; the others pay nothing, or
    cost."""
    keys = jax.random.split(key, 8)
    S, B = bounds.states, bounds.actions
    contexts, arms = whole_number(keys[0], 1, S), whole_number(keys[1], 2, B)
    best = below(keys[2], arms, (S,))
    right = jax.nn.one_hot(best, B)
    kind = below(keys[3], 3)
    odds = jnp.where(kind == 0, jax.random.uniform(keys[4], (S, B)), right)
    cost = jnp.where(kind == 2, -jax.random.uniform(keys[5]), 0.0)
    ends = jax.random.uniform(keys[6]) < 1 / 3
    return of_table(
        bounds, contexts, arms, jnp.ones((S, B, S)),
        reward=jnp.where(kind == 0, 0.0, cost * (1.0 - right)),
        prize=jnp.ones((S, B)),
        odds=odds,
        final=jnp.broadcast_to(ends, (S,)),
        start=jnp.ones(S),
        patience=jax.random.uniform(keys[7]),
    )  # fmt: skip
