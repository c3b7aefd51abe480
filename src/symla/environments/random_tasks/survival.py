"""Survival: some actions end the episode, and that is bad."""

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
    to,
    whole_number,
)


def survival(key: PRNGKey, bounds: Bounds) -> Draw:
    """2 to S - 1 states, and one that ends the episode: in each state at least one action leads
    there, and at least one does not. Either the end costs 1, or each step before it pays, or both.
    The others lead to any state, or to one that is fixed."""
    keys = jax.random.split(key, 10)
    S, B = bounds.states, bounds.actions
    alive, actions = whole_number(keys[0], 1, S - 1), whole_number(keys[1], 2, B)
    # A state's actions in random order: the first is safe, the last one deadly.
    rank = jax.random.uniform(keys[2], (S, B))
    rank = jnp.where((jnp.arange(B) < actions)[None], rank, 2.0)
    place = jnp.argsort(jnp.argsort(rank, axis=1), axis=1)
    deadly = jax.random.uniform(keys[3], (S, B)) < number(keys[4], 0.2, 0.8)
    deadly = (deadly & (place > 0)) | (place == actions - 1)
    fixed = below(keys[5], alive, (S, B))
    anywhere = jnp.broadcast_to((jnp.arange(S) < alive)[None, None], (S, B, S)).astype(jnp.float32)
    safely = jnp.where(happens(keys[6], 0.5), to(fixed), anywhere)
    end = jax.nn.one_hot(alive, S)
    kind = below(keys[7], 3)
    pay = jnp.where(kind == 0, 0.0, number(keys[8], 0.1, 1.0))
    return of_table(
        bounds, alive + 1, actions, jnp.where(deadly[:, :, None], end[None, None], safely),
        reward=jnp.broadcast_to(pay, (S, B)),
        arrival=jnp.where(kind == 1, 0.0, -end),
        final=end > 0,
        start=(jnp.arange(S) < alive).astype(jnp.float32),
        patience=jax.random.uniform(keys[9]),
    )  # fmt: skip
