"""Makes actions of Gymnasium's spaces of those of a learning algorithm. Imports no jax."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from symla.bridge.refusals import name_of, other_library
from symla.core.errors import SettingError, require

MAX_ACTIONS = 4096  # combinations of the parts of a space
MAX_DISCRETE = 1 << 16  # numbered ones


class Actions(NamedTuple):
    """How to make actions of a space of those of a learning algorithm."""

    size: int  # how many there are, or how many numbers one has
    continuous: bool
    decode: Callable[[Any], Any]  # from a number 0 to size - 1, or from float32 [size] in [-1, 1]


def actions(space: Any) -> Actions:
    """The actions of a space.

    Those of a Box are vectors in [-1, 1], scaled to its bounds; in a MultiDiscrete or a MultiBinary
    space each combination has a number. Raises SettingError for any other space, for a Box without
    bounds, and for too many combinations.
    """
    if isinstance(space, Discrete):
        first = int(space.start)
        require(
            int(space.n) <= MAX_DISCRETE,
            f"its action space {name_of(space)} has more than {MAX_DISCRETE} actions: choose some "
            "of them, with numbers, in a gymnasium.ActionWrapper",
        )
        return Actions(int(space.n), False, lambda action: int(action) + first)
    if isinstance(space, Box):
        return _box_actions(space)
    if isinstance(space, MultiDiscrete | MultiBinary):
        return _combinations(space)
    advice = (
        "supported are Discrete, Box, MultiDiscrete and MultiBinary: map one of these to the "
        "environment's actions in a gymnasium.ActionWrapper"
    )
    what = advice if isinstance(space, Space) else other_library(space)
    raise SettingError(f"its action space is {name_of(space)}; {what}")


def _box_actions(space: Box) -> Actions:
    low, high = (end.reshape(-1).astype(np.float64) for end in (space.low, space.high))
    with np.errstate(over="ignore"):
        width = high - low
    require(low.size >= 1, f"its action space {name_of(space)} is empty")
    unbounded = np.flatnonzero(~np.isfinite(width))
    require(
        unbounded.size == 0,
        f"its action space {name_of(space)} has no bounds for number {unbounded[:1].sum()} of an "
        "action: give it some, gymnasium.wrappers.TransformAction(env, lambda action: action, "
        "gymnasium.spaces.Box(-1.0, 1.0, env.action_space.shape)), and no ClipAction, which takes "
        "them away",
    )
    whole = np.issubdtype(space.dtype, np.integer)

    def decode(action: Any) -> np.ndarray:
        scaled = low + (np.asarray(action, np.float64) + 1.0) / 2.0 * width
        scaled = np.clip(np.rint(scaled) if whole else scaled, low, high)
        return scaled.reshape(space.shape).astype(space.dtype)

    return Actions(low.size, True, decode)


def _combinations(space: MultiDiscrete | MultiBinary) -> Actions:
    """In the order in which numpy numbers the elements of an array of that shape."""
    if isinstance(space, MultiDiscrete):
        counts, first = space.nvec, space.start
    else:
        counts, first = np.full(space.shape, 2), np.zeros(space.shape, int)
    shape = tuple(counts.reshape(-1).tolist())
    size = math.prod(shape)
    require(
        size <= MAX_ACTIONS,
        f"its action space {name_of(space)} has {size} combinations, more than {MAX_ACTIONS}: "
        "choose some of them, with numbers, in a gymnasium.ActionWrapper",
    )

    def decode(action: Any) -> np.ndarray:
        parts = np.asarray(np.unravel_index(int(action), shape)).reshape(counts.shape)
        return (parts + first).astype(space.dtype)

    return Actions(size, False, decode)
