"""Chains: a row of states, in each of which one action leads on."""

import jax
import jax.numpy as jnp

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import (
    Bounds,
    Draw,
    below,
    happens,
    number,
    of_table,
    one_of,
    to,
    whole_number,
)


def chain(key: PRNGKey, bounds: Bounds) -> Draw:
    """3 to S states in a row, the last of which pays 1; it ends the episode, or begins anew.

    In each state one action leads on, everywhere the same or another in each. Any other leads back
    by one, or to the first state. In half of the tasks the first state pays a little for staying,
    and in some each step ahead costs a little.
    """
    keys = jax.random.split(key, 9)
    S, B = bounds.states, bounds.actions
    states, actions = whole_number(keys[0], min(3, S), S), whole_number(keys[1], 2, B)
    same = happens(keys[2], 0.5)
    own = below(keys[3], actions, (S,))
    right = jax.nn.one_hot(jnp.where(same, own[0], own), B).astype(bool)
    here, last = jnp.arange(S), jnp.arange(S) == states - 1
    back = jnp.where(happens(keys[4], 0.5), jnp.maximum(here - 1, 0), 0)
    target = jnp.where(right, jnp.minimum(here + 1, states - 1)[:, None], back[:, None])
    ends = happens(keys[5], 0.5)
    target = jnp.where(last[:, None], 0, target)
    lure = jnp.where(happens(keys[6], 0.5), number(keys[7], 0.01, 0.05), 0.0)
    price = one_of(keys[8], 0.0, 0.0, 0.01)
    stays = (here == 0)[:, None] & ~right
    return of_table(
        bounds, states, actions, to(target),
        reward=jnp.where(stays, lure, 0.0) - jnp.where(right, price, 0.0),
        arrival=jnp.where(last, 1.0, 0.0),
        final=last & ends,
        patience=jnp.ones(()),
    )  # fmt: skip
