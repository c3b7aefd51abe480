"""Grids: a goal, holes, walls, places that send back."""

from math import isqrt

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import (
    Bounds,
    Draw,
    below,
    happens,
    in_any_order,
    of_table,
    one_of,
    to,
    whole_number,
)

MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0), (0, 0))  # rows, columns; the last one stays
SIDEWAYS = ((2, 3), (2, 3), (0, 1), (0, 1), (4, 4))  # what a slip makes of each


def grid(key: PRNGKey, bounds: Bounds) -> Draw:
    """Rows x columns of up to S cells; with less than 4 actions one row.

    The goal pays 1, and ends the episode in three of four tasks; otherwise it sends back to the
    start. Up to three holes end it, at a cost of 0, 0.5 or 1; up to two other places cost 0.5 or
    nothing, and send back. Up to a fifth of the cells are walls. A step costs nothing, 0.02 or 0.1.
    Every third grid is slippery: a move goes to either side with a probability of 0.1 or, as on
    FrozenLake, 1/3 each. Episodes start in one cell, or in any that is free.
    """
    keys = jax.random.split(key, 14)
    S, B = bounds.states, bounds.actions
    planar = B >= 4
    sizes = jnp.asarray(_sizes(S, planar), jnp.int32)
    rows, columns = sizes[below(keys[0], sizes.shape[0])]
    cells = rows * columns
    actions = whole_number(keys[1], 4, min(B, 5)) if planar else jnp.asarray(2, jnp.int32)

    order = in_any_order(keys[2], S, cells)  # which cell has which role
    holes = whole_number(keys[3], 0, jnp.minimum(3, (cells - 2) // 3))
    back = whole_number(keys[4], 0, jnp.minimum(2, (cells - 2) // 4))
    back = jnp.where(happens(keys[5], 0.5), 0, back)
    walls = whole_number(keys[6], 0, cells // 5)
    role = jnp.zeros(S, jnp.int32).at[order].set(jnp.arange(S))  # of each cell
    hole = (role >= 2) & (role < 2 + holes)
    sends = (role >= 2 + holes) & (role < 2 + holes + back)
    wall = (role >= 2 + holes + back) & (role < 2 + holes + back + walls) & (role < cells)
    goal, first = role == 1, order[0]

    moves = jnp.minimum(jnp.arange(B), len(MOVES) - 1)
    moved = _moves(S, rows, columns, wall)[:, moves]
    chance = jnp.where(happens(keys[7], 1 / 3), one_of(keys[8], 0.1, 1 / 3), 0.0)
    straight = to(moved)
    aside = jnp.asarray(SIDEWAYS, jnp.int32)[moves]
    if planar:
        straight = (1.0 - 2.0 * chance) * straight + chance * (
            straight[:, aside[:, 0]] + straight[:, aside[:, 1]]
        )
    ends_at_goal = happens(keys[9], 0.75)
    restarts = sends | (goal & ~ends_at_goal)
    restart = jnp.broadcast_to(jax.nn.one_hot(first, S), straight.shape)
    transition = jnp.where(restarts[:, None, None], restart, straight)
    hole_cost, sent_cost = one_of(keys[10], 0.0, 0.5, 1.0), one_of(keys[11], 0.0, 0.5)
    arrival = jnp.where(goal, 1.0, 0.0) - jnp.where(hole, hole_cost, 0.0)
    free = ~(hole | wall | goal | sends)
    anywhere = happens(keys[12], 0.4)
    return of_table(
        bounds, cells, actions, transition,
        reward=jnp.broadcast_to(-one_of(keys[13], 0.0, 0.0, 0.02, 0.1), (S, B)),
        arrival=arrival - jnp.where(sends, sent_cost, 0.0),
        final=hole | (goal & ends_at_goal),
        start=jnp.where(anywhere, free.astype(jnp.float32), jax.nn.one_hot(first, S)),
    )  # fmt: skip


def _sizes(S: int, planar: bool) -> list[tuple[int, int]]:
    """All that have at most S cells and are at most three times as long as wide, squares twice."""
    if not planar:
        return [(1, n) for n in range(min(3, S), S + 1)]
    both = ((h, w) for h in range(2, S) for w in range(2, S) if h * w <= S)
    found = [(h, w) for h, w in both if max(h, w) <= 3 * min(h, w)]
    return found + [(n, n) for n in range(3, isqrt(S) + 1)]


def _moves(S: int, rows: Array, columns: Array, wall: Array) -> Int[Array, "S 5"]:
    """Where each of MOVES leads: against a border or a wall it stays."""
    cell = jnp.arange(S)
    row, column = cell // columns, cell % columns
    targets = []
    for down, right in MOVES:
        new_row = jnp.clip(row + down, 0, rows - 1)
        new_column = jnp.clip(column + right, 0, columns - 1)
        there = jnp.minimum(new_row * columns + new_column, S - 1)
        targets.append(jnp.where(wall[there], cell, there))
    return jnp.stack(targets, axis=1)
