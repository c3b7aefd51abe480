"""Delayed rewards: what was done pays some steps later."""

import jax
import jax.numpy as jnp

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import (
    Bounds,
    Draw,
    below,
    happens,
    of_table,
    one_of,
    to,
    whole_number,
)


def delay(key: PRNGKey, bounds: Bounds) -> Draw:
    """One to three states in which one action is right; then one to four steps in which nothing
    that is done matters; at their end 1 is paid for the right one, and for the others 0 or -1. In
    half of the tasks what comes between looks the same after either. Then the episode ends, or
    another state follows."""
    keys = jax.random.split(key, 7)
    S, B = bounds.states, bounds.actions
    contexts = whole_number(keys[0], 1, min(3, S - 2))
    steps = whole_number(keys[1], 1, jnp.minimum(4, (S - contexts) // 2))
    actions = whole_number(keys[2], 2, B)
    state = jnp.arange(S)
    decides = state < contexts
    between = state - contexts  # first those after a wrong action, then those after a right one
    was_right, place = between // steps, between % steps
    right = jax.nn.one_hot(below(keys[3], actions, (S,)), B)
    chosen = contexts + right.astype(jnp.int32) * steps
    leaves = ~decides & (place == steps - 1)
    onward = jnp.broadcast_to(jnp.minimum(state + 1, S - 1)[:, None], (S, B))
    transition = to(jnp.where(decides[:, None], chosen, onward))
    anew = jnp.broadcast_to(decides.astype(jnp.float32), (S, B, S))
    paid = jnp.where(was_right == 1, 1.0, one_of(keys[4], 0.0, -1.0))
    alike = happens(keys[5], 0.5) & ~decides & (was_right == 1)
    return of_table(
        bounds, contexts + 2 * steps, actions, jnp.where(leaves[:, None, None], anew, transition),
        reward=jnp.broadcast_to(jnp.where(leaves, paid, 0.0)[:, None], (S, B)),
        final=decides & happens(keys[6], 0.5),
        start=decides.astype(jnp.float32),
        shown=jnp.where(alike, state - steps, state),
        patience=jnp.ones(()),
    )  # fmt: skip
