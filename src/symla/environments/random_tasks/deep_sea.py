"""Deep exploration: every step may be the one that misses the only reward.

After DeepSea of bsuite (Osband et al. 2020).
"""

from math import isqrt

import jax
import jax.numpy as jnp

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import Bounds, Draw, below, of_table, to, whole_number


def deep_sea(key: PRNGKey, bounds: Bounds) -> Draw:
    """A square of n x n cells, n^2 <= S: each step leads a row down, and a column right or left.

    Which action goes right differs between cells; all others go left. The episode ends in the last
    row, whose rightmost cell pays 1. Each step to the right costs 0.01 / n.
    """
    keys = jax.random.split(key, 3)
    S, B = bounds.states, bounds.actions
    size = whole_number(keys[0], 2, isqrt(S))
    actions = whole_number(keys[1], 2, B)
    cell = jnp.arange(S)
    row, column = cell // size, cell % size
    right = jax.nn.one_hot(below(keys[2], actions, (S,)), B).astype(bool)
    next_row = jnp.minimum(row + 1, size - 1) * size
    rightward = next_row + jnp.minimum(column + 1, size - 1)
    leftward = next_row + jnp.maximum(column - 1, 0)
    target = jnp.where(right, rightward[:, None], leftward[:, None])
    price = 0.01 / size.astype(jnp.float32)
    return of_table(
        bounds, size * size, actions, to(jnp.minimum(target, S - 1)),
        reward=jnp.where(right, -price, 0.0),
        arrival=jnp.where(cell == size * size - 1, 1.0, 0.0),
        final=row == size - 1,
        patience=jnp.ones(()),
    )  # fmt: skip
