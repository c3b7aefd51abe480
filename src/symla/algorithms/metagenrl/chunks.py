"""A replay buffer from which chunks of consecutive steps are drawn."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from symla.algorithms.parts.critics import Experience, experience, no_experience
from symla.algorithms.parts.replay import Replay
from symla.core.types import PRNGKey, Rollout


class Remembered(NamedTuple):
    """A row of the buffer. The next step in the same environment is `workers` rows further on."""

    step: Experience
    ended: Bool[Array, "*batch"]  # its episode
    log_density: Float[Array, "*batch"]  # of the action, as it was chosen


def remembered(rollout: Rollout) -> Remembered:
    """All steps of a rollout, whose extras are log densities, in the order of the buffer."""
    return Remembered(experience(rollout), rollout.done.reshape(-1), rollout.extras.reshape(-1))


def nothing_remembered(observation_size: int, action_size: int) -> Remembered:
    """One row of zeros: what a buffer needs to know of shapes."""
    step = no_experience(observation_size, action_size)
    return Remembered(step, jnp.zeros((), bool), jnp.zeros(()))


def sample_chunks(replay: Replay, key: PRNGKey, n: int, length: int, workers: int) -> Remembered:
    """n chunks [n, length, ...]: a step is drawn uniformly, then where it is in its chunk.

    A chunk never leaves its episode, and is moved within it so that it is as long as it can be. The
    rows of an episode that was too short are zeros, and not `known`; of an empty buffer, all are.
    """
    step_key, place_key = jax.random.split(key)
    size = replay.size.astype(jnp.int32)
    drawn = jax.random.randint(step_key, (n, 1), 0, jnp.maximum(size, 1))
    place = jax.random.randint(place_key, (n,), 0, length)

    def rows(position: Array) -> Array:
        """Of the buffer, from positions that count from its oldest step."""
        number = replay.added - replay.size + jnp.clip(position, 0).astype(jnp.uint32)
        return number % jnp.uint32(replay.capacity)

    # How far the episode goes on to both sides of the drawn step.
    around = drawn + workers * jnp.arange(1 - length, length)[None]
    there = (around >= 0) & (around < size)
    follows = ~replay.transitions.ended[rows(around)]
    joined = follows[:, :-1] & there[:, :-1] & there[:, 1:]
    before = _unbroken(joined[:, : length - 1][:, ::-1])
    after = 1 + _unbroken(joined[:, length - 1 :])

    back = jnp.minimum(before, jnp.maximum(place, length - after))
    steps = jnp.arange(length)[None]
    chosen = drawn - workers * back[:, None] + workers * steps
    known = (steps < (back + after)[:, None]) & (size > 0)
    found = jax.tree.map(lambda x: x[rows(chosen)], replay.transitions)
    known &= found.step.known

    def zeroed(x: Array) -> Array:
        there = known.reshape(*known.shape, *[1] * (x.ndim - 2))
        return jnp.where(there, x, jnp.zeros_like(x))

    zeros = jax.tree.map(zeroed, found)
    return zeros._replace(step=zeros.step._replace(known=known))


def _unbroken(joined: Bool[Array, "n k"]) -> Array:
    """How many are set before the first that is not."""
    return jnp.sum(jnp.cumprod(joined.astype(jnp.int32), axis=1), axis=1)
