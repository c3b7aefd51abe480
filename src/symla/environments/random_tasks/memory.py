"""Memory: what is seen at the start of an episode says what to do at its end."""

import jax
import jax.numpy as jnp

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import (
    Bounds,
    Draw,
    in_any_order,
    of_table,
    one_of,
    to,
    whole_number,
)


def memory(key: PRNGKey, bounds: Bounds) -> Draw:
    """A cue, then a corridor that looks the same after either of the two cues, then a choice: the
    action that belongs to the cue pays 1, any other nothing or -1; either ends the episode."""
    keys = jax.random.split(key, 4)
    S, B = bounds.states, bounds.actions
    length = whole_number(keys[0], 2, (S - 1) // 2)  # from cue to choice
    actions = whole_number(keys[1], 2, B)
    state = jnp.arange(S)
    cue, place = state // length, state % length
    end = 2 * length
    chooses = place == length - 1
    answer = in_any_order(keys[2], B, actions)[jnp.minimum(cue, 1)]
    right = jax.nn.one_hot(answer, B)
    target = jnp.where(chooses, end, state + 1)
    wrong = one_of(keys[3], 0.0, -1.0)
    return of_table(
        bounds, end + 1, actions, to(jnp.broadcast_to(jnp.minimum(target, S - 1)[:, None], (S, B))),
        reward=jnp.where(chooses[:, None], jnp.where(right > 0, 1.0, wrong), 0.0),
        final=state == end,
        start=((place == 0) & (cue < 2)).astype(jnp.float32),
        shown=jnp.where((place > 0) & (cue == 1), place, state),
        patience=jnp.ones(()),
    )  # fmt: skip
