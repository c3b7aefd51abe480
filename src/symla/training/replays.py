"""Replay buffers anywhere in a state: apart from the rest of it on disk, and together again."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from symla.algorithms.parts.replay import Replay, is_replay
from symla.store import Arrays, Buffer, Checkpoint, Segment, flatten, named_leaves, read_segments


def without_transitions(tree: Any) -> Any:
    """The same tree, of whose replay buffers nothing is left but how many and which."""
    return _map(lambda replay: replay._replace(transitions=()), tree)


def buffers(tree: Any, name: str) -> dict[str, Buffer]:
    """Every replay buffer of a state on a device, by its name in it."""
    return {where: _buffer(replay) for where, replay in _replays(tree, name)}


def read_transitions(
    found: Any, template: Any, name: str, checkpoint: Checkpoint
) -> tuple[Any, tuple[Segment, ...]]:
    """What `without_transitions` left, read from disk, with the transitions of the checkpoint.

    The template has the shapes of all. Returns the segments that they came from, too. Raises
    CheckpointError if they are not what the template needs.
    """
    shapes = dict(_replays(template, name))
    there = {w: _described(x, shapes[w].capacity) for w, x in _replays(found, name)}
    rows = {where: _empty(replay) for where, replay in shapes.items()}
    segments = read_segments(checkpoint.path.parent, checkpoint.segments, there, rows)

    def whole(where: str, replay: Replay) -> Replay:
        leaves = [
            rows[where][leaf].reshape(x.shape)
            for leaf, x in named_leaves(shapes[where].transitions, "rows")
        ]
        like = jax.tree.structure(shapes[where].transitions)
        return replay._replace(transitions=jax.tree.unflatten(like, leaves))

    restored = iter([whole(where, replay) for where, replay in _replays(found, name)])
    return _map(lambda _: next(restored), found), segments


def _map(function: Callable[[Replay], Replay], tree: Any) -> Any:
    return jax.tree.map(lambda x: function(x) if is_replay(x) else x, tree, is_leaf=is_replay)


def _replays(tree: Any, name: str) -> list[tuple[str, Replay]]:
    return [found for found in named_leaves(tree, name, is_replay) if is_replay(found[1])]


def _described(replay: Replay, capacity: int, rows: Callable[..., Arrays] = dict) -> Buffer:
    """Agents side by side, on however many axes, are the members of one buffer."""
    identity = np.asarray(replay.identity).reshape(-1, 2)
    return Buffer(identity, np.asarray(replay.added).astype(np.int64).reshape(-1), capacity, rows)


def _empty(replay: Replay) -> Arrays:
    """Zeros, [N, capacity, ...] by the name of the array: a buffer without transitions."""
    agents = replay.added.ndim
    return {
        leaf: np.zeros((replay.added.size, *x.shape[agents:]), x.dtype)
        for leaf, x in named_leaves(replay.transitions, "rows")
    }


def _buffer(replay: Replay) -> Buffer:
    replay = jax.tree.map(_here, replay)
    return _described(replay, replay.capacity, partial(_rows, replay))


def _here(array: Array) -> Array:
    """On one device, where it is whole on each: then no other one, or process, is needed."""
    return array.addressable_data(0) if array.is_fully_replicated else array


def _rows(replay: Replay, begin: np.ndarray, end: np.ndarray) -> Arrays:
    """Those of all members in turn, by the name of the array; nothing else leaves the device."""
    agents = replay.added.ndim
    none = jax.tree.map(
        lambda x: np.zeros((0, *x.shape[agents + 1 :]), x.dtype), replay.transitions
    )
    parts = [none]
    for member, (first, stop) in enumerate(zip(begin.tolist(), end.tolist())):
        if first == stop:
            continue
        # A power of two, so that few are compiled, whatever the number of new ones.
        width = min(1 << (stop - first - 1).bit_length(), replay.capacity)
        numbers = (first + np.arange(width)) % replay.capacity
        place = tuple(map(jnp.int32, np.unravel_index(member, replay.added.shape)))
        taken = _taken(replay.transitions, place, jnp.asarray(numbers, jnp.int32))
        parts.append(jax.tree.map(lambda x: np.asarray(x)[: stop - first], taken))  # noqa: B023
    return flatten(jax.tree.map(lambda *x: np.concatenate(x), *parts), "rows")


@jax.jit
def _taken(transitions: Any, member: tuple[Array, ...], rows: Int[Array, " n"]) -> Any:
    return jax.tree.map(lambda x: x[(*member, rows)], transitions)
