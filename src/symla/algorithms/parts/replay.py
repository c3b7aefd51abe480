"""A replay buffer: the newest transitions of one agent, as a part of its state.

Arrays of a fixed size, so that it lives in a compiled, donated state, and under `vmap` for many
agents side by side. `training.replays` keeps it on disk.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32

from symla.core.distributions import NOT_FINITE
from symla.core.errors import require
from symla.core.types import PRNGKey

Transitions = Any  # a pytree of arrays with one leading axis
LARGEST = 2**30  # transitions
WRAPS = 2**31  # what `Replay.added` stays below


class Replay(NamedTuple):
    """Transition number i is in row i modulo the capacity.

    From 2^31 on, `added` is a multiple of the capacity less than all that were ever added, so that
    rows and size stay right for any number of them.
    """

    transitions: Transitions  # [capacity, ...]
    added: UInt32[Array, "*agents"]  # of all transitions ever added
    identity: UInt32[Array, "*agents 2"]  # random: another buffer, born in its place, has another

    @property
    def capacity(self) -> int:
        """The largest number of transitions; of each, where agents are side by side."""
        return jax.tree.leaves(self.transitions)[0].shape[self.added.ndim]

    @property
    def size(self) -> UInt32[Array, "*agents"]:
        """How many transitions there are now."""
        return jnp.minimum(self.added, jnp.uint32(self.capacity))


def is_replay(part: Any) -> bool:
    """Where functions on trees stop, to which a buffer is one leaf."""
    return isinstance(part, Replay)


def init(key: PRNGKey, example: Any, capacity: int) -> Replay:
    """An empty buffer for transitions such as `example`, a pytree of arrays or their shapes.

    Its identity follows from `key`. Raises SettingError for a capacity outside 1 to 2^30.
    """
    require(
        1 <= capacity <= LARGEST,
        f"the capacity of a replay buffer must be 1 to 2^30 transitions, got {capacity}",
    )
    require(len(jax.tree.leaves(example)) >= 1, "a transition must have at least one array")
    rows = jax.tree.map(lambda x: jnp.zeros((capacity, *x.shape), x.dtype), example)
    return Replay(rows, jnp.zeros((), jnp.uint32), jax.random.bits(key, (2,), jnp.uint32))


def add(replay: Replay, batch: Transitions) -> Replay:
    """Add a rollout of n transitions, the oldest first; they replace the oldest of a full buffer.

    Donate the buffer: then nothing else is copied. Raises SettingError if n exceeds the capacity.
    """
    n, capacity = jax.tree.leaves(batch)[0].shape[0], replay.capacity
    require(
        n <= capacity,
        f"a rollout of {n} transitions does not fit a replay buffer of {capacity}: give the buffer "
        "a larger capacity, or collect shorter rollouts",
    )
    rows = (replay.added % capacity + jnp.arange(n, dtype=jnp.uint32)) % capacity
    after = replay.added + jnp.uint32(n)
    less = jnp.uint32(LARGEST // capacity * capacity)
    return Replay(
        jax.tree.map(
            lambda x, new: x.at[rows].set(new, unique_indices=True, mode="promise_in_bounds"),
            replay.transitions,
            batch,
        ),
        jnp.where(after >= jnp.uint32(WRAPS), after - less, after),
        replay.identity,
    )


def sample(replay: Replay, key: PRNGKey, n: int) -> Transitions:
    """n transitions, each drawn uniformly from all that are there.

    Of an empty buffer, where no error can be raised inside a compiled function, it returns
    transitions that are `no_transition`.
    """
    largest = jnp.maximum(replay.size, 1)
    rows = jax.random.randint(key, (n,), 0, largest.astype(jnp.int32))
    return _rows(replay, rows, jnp.broadcast_to(replay.size > 0, (n,)))


def last(replay: Replay, n: int) -> Transitions:
    """The n newest, the oldest of them first; for those that are not there, `no_transition`.

    Raises SettingError if n exceeds the capacity.
    """
    capacity = replay.capacity
    require(n <= capacity, f"the last {n} transitions of a replay buffer of {capacity}: too many")
    back = jnp.arange(n, 0, -1, dtype=jnp.uint32)
    rows = (replay.added % capacity + (jnp.uint32(capacity) - back)) % capacity
    return _rows(replay, rows, back <= replay.size)


def no_transition(like: Array) -> Array:
    """What stands for a transition that does not exist: NaN, so that whatever is learned from it
    is noticed; -1, which is no action, in signed whole numbers; else 0."""
    if jnp.issubdtype(like.dtype, jnp.inexact):
        return jnp.full_like(like, jnp.nan)
    signed = jnp.issubdtype(like.dtype, jnp.signedinteger)
    return jnp.full_like(like, NOT_FINITE if signed else 0)


def _rows(replay: Replay, rows: Array, there: Array) -> Transitions:
    def of(x: Array) -> Array:
        found = x.at[rows].get(mode="promise_in_bounds")
        return jnp.where(there.reshape(-1, *[1] * (found.ndim - 1)), found, no_transition(found))

    return jax.tree.map(of, replay.transitions)
