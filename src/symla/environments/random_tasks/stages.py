"""Stages: one action leads on, but at some places another one is needed first."""

import jax
import jax.numpy as jnp

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import (
    Bounds,
    Draw,
    happens,
    in_any_order,
    of_table,
    one_of,
    to,
    whole_number,
)


def stages(key: PRNGKey, bounds: Bounds) -> Draw:
    """3 to S places in a row. One action leads on, but for up to half of the places, where the
    special action does. Any other stays, which costs nothing or 0.1. The last place pays 1 and
    ends the episode or begins anew; in half of the tasks each special place pays 0.3."""
    keys = jax.random.split(key, 7)
    S, B = bounds.states, bounds.actions
    states, actions = whole_number(keys[0], min(3, S), S), whole_number(keys[1], 2, B)
    walk, special = in_any_order(keys[2], B, actions)[:2]
    here = jnp.arange(S)
    needs = jax.random.uniform(keys[3], (S,)) < 0.5
    right = jax.nn.one_hot(jnp.where(needs, special, walk), B).astype(bool)
    last = here == states - 1
    target = jnp.where(right, jnp.minimum(here + 1, S - 1)[:, None], here[:, None])
    pays = jnp.where(happens(keys[4], 0.5), 0.3, 0.0)
    return of_table(
        bounds, states, actions, to(jnp.where(last[:, None], 0, target)),
        reward=jnp.where(
            right,
            jnp.where(needs, pays, 0.0)[:, None],
            -one_of(keys[5], 0.0, 0.1),
        ),
        arrival=jnp.where(last, 1.0, 0.0),
        final=last & happens(keys[6], 0.5),
        patience=jnp.ones(()),
    )  # fmt: skip
