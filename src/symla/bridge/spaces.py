"""Converts what environments of Gymnasium return to what a learning algorithm uses.

Imports no jax: the processes that run environments use it, and start faster so.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from symla.bridge.refusals import name_of, unsupported
from symla.core.errors import FaultyEnvironmentError, SettingError, require

# Numbers in an observation. SymLA has a row of LSTMs for each: with more, a step takes too long.
MAX_OBSERVATIONS = 4096
FLOAT32_MAX = float(np.finfo(np.float32).max)


class Observations(NamedTuple):
    """How to encode the observations of a space as vectors."""

    size: int
    encode: Callable[[Any], np.ndarray]  # to float32 [size]; raises FaultyEnvironmentError
    one_hot: bool  # whether every vector is: of a Discrete space


def observations(space: Any, name: str | None = None) -> Observations:
    """Flattens Box and MultiBinary; Discrete and MultiDiscrete become one-hot.

    `name` is what a person typed, if they did: advice is in these words. Raises SettingError for
    any other space, and for one of 0 or over MAX_OBSERVATIONS numbers.
    """
    encoder: Callable[[Any], Callable[[Any], np.ndarray]]
    if isinstance(space, Box | MultiBinary):
        size, encoder = int(np.prod(space.shape)), _flat
    elif isinstance(space, Discrete):
        size, encoder = int(space.n), _one_hot
    elif isinstance(space, MultiDiscrete):
        size, encoder = int(np.sum(space.nvec)), _one_hots
    else:
        raise SettingError(unsupported(space, name))
    _check_size(space, size, name)
    return Observations(size, encoder(space), isinstance(space, Discrete))


def flag(which: str, value: Any) -> bool:
    """True or false, as `terminated` and `truncated` must be; 1 and 0 count, and arrays of one.

    Raises FaultyEnvironmentError for anything else.
    """
    if isinstance(value, bool | np.bool_):  # almost always
        return bool(value)
    array = np.asarray(value)
    if array.shape == () and array.dtype.kind in "biuf" and array.item() in (0, 1):
        return bool(array)
    text = " ".join(repr(value).split())[:100]
    raise FaultyEnvironmentError(f"its {which} was {text}, neither true nor false")


def reward(number: Any) -> np.float32:
    """A reward as float32. Raises FaultyEnvironmentError if it is not a finite float32 number."""
    try:
        number = float(number)
    except (OverflowError, TypeError, ValueError):
        text = " ".join(repr(number).split())[:100]
        raise FaultyEnvironmentError(f"its reward was {text}, not a number") from None
    if not abs(number) <= FLOAT32_MAX:
        raise FaultyEnvironmentError(f"its reward was {number}, not a finite float32 number")
    return np.float32(number)


def _check_size(space: Space, size: int, name: str | None) -> None:
    """Before a table of that size is made. Raises SettingError if it is 0 or too large."""
    typed = f" ({name},wrappers=package.module:WRAPPER)" if name else ""
    require(size >= 1, f"its observation space {name_of(space)} is empty")
    require(
        size <= MAX_OBSERVATIONS,
        f"its observation space {name_of(space)} makes vectors of {size} numbers, more than "
        f"{MAX_OBSERVATIONS}: reduce it first, images for instance with GrayscaleObservation and "
        "ResizeObservation of gymnasium.wrappers, or with features of your own in "
        f"TransformObservation{typed}",
    )


# Each of these three returns the `encode` of an `Observations`.


def _flat(space: Box | MultiBinary) -> Callable[[Any], np.ndarray]:
    def encode(observation: Any) -> np.ndarray:
        vector = _float32(_array(observation, space).reshape(-1))
        if not np.isfinite(vector).all():
            raise FaultyEnvironmentError(f"its observation has {_not_finite(vector)} in it")
        return vector

    return encode


def _one_hot(space: Discrete) -> Callable[[Any], np.ndarray]:
    numbers = int(space.start) + np.arange(int(space.n))

    def encode(observation: Any) -> np.ndarray:
        vector = (numbers == _array(observation, space)).astype(np.float32)
        if not vector.any():
            raise FaultyEnvironmentError(f"its observation {observation} is not in {space}")
        return vector

    return encode


def _one_hots(space: MultiDiscrete) -> Callable[[Any], np.ndarray]:
    sizes, first = space.nvec.reshape(-1), space.start.reshape(-1)
    number = np.concatenate([np.arange(n) for n in sizes])
    component = np.repeat(np.arange(sizes.size), sizes)

    def encode(observation: Any) -> np.ndarray:
        index = _array(observation, space).reshape(-1) - first
        if not ((index >= 0) & (index < sizes)).all():
            raise FaultyEnvironmentError(f"its observation {observation} is not in {space}")
        return (number == index[component]).astype(np.float32)

    return encode


def _array(observation: Any, space: Space) -> np.ndarray:
    """The observation as an array of the declared shape, of integers where declared.

    The number of bits and the limits are not checked: widely used environments violate both, and
    learning does not depend on them.
    """
    try:
        array = np.asarray(observation)
    except (TypeError, ValueError) as error:
        text = f"its observation is no array: {error}; declared is {name_of(space)}"
        raise FaultyEnvironmentError(text) from error
    assert space.dtype is not None  # only spaces of spaces have none
    if array.dtype.kind not in ("biuf" if space.dtype.kind == "f" else "biu"):
        kind = type(observation).__name__
        kind = f"{kind} of {array.dtype}" if array.dtype != object and array.ndim else kind
        raise FaultyEnvironmentError(f"its observation is a {kind}; declared is {name_of(space)}")
    if array.shape != space.shape:
        raise FaultyEnvironmentError(
            f"its observation has shape {array.shape}; declared is {name_of(space)}"
        )
    return array


def _float32(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.float32:
        return array.copy()  # some environments overwrite the array that they returned
    with np.errstate(over="ignore"):  # too large becomes infinite, which is reported
        return array.astype(np.float32)


def _not_finite(vector: np.ndarray) -> str:
    where = int(np.flatnonzero(~np.isfinite(vector))[0])
    return f"{vector[where]} (number {where})"
