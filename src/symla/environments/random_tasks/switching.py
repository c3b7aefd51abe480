"""Tasks that change in mid-life: what was right no longer is."""

import jax
import jax.numpy as jnp

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import (
    Bounds,
    Draw,
    below,
    number,
    of_table,
    whole_number,
)


def switching(key: PRNGKey, bounds: Bounds) -> Draw:
    """A context bandit of 1 to S / 2 contexts in which one action pays 1, another one after each
    change: one that is not seen, after 20 to 100 steps on average. Episodes are as long as may be;
    which of the two holds at first is drawn for each."""
    keys = jax.random.split(key, 5)
    S, B = bounds.states, bounds.actions
    contexts, actions = whole_number(keys[0], 1, S // 2), whole_number(keys[1], 2, B)
    state = jnp.arange(S)
    mode, context = state // contexts, state % contexts
    first = below(keys[2], actions, (S,))
    after = (first + 1 + below(keys[3], actions - 1, (S,))) % actions
    best = jnp.where(mode == 0, first[context], after[context])
    rate = number(keys[4], 0.01, 0.05)
    switches = mode[:, None] != mode[None]
    weights = jnp.where(switches, rate, 1.0 - rate)
    return of_table(
        bounds, 2 * contexts, actions, jnp.broadcast_to(weights[:, None], (S, B, S)),
        reward=jax.nn.one_hot(best, B),
        start=jnp.ones(S),
        shown=context,
        patience=jnp.ones(()),
    )  # fmt: skip
