"""Checks of what an algorithm's methods return: an action, or its distribution, and more."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from symla.core.distributions import are_actions
from symla.core.types import Continuous, Spec
from symla.testing.returned import check_arrays
from symla.testing.subject import Subject, kind_of, values_of


class Wanted(NamedTuple):
    """What a method returns before something else."""

    what: str
    type: str
    fits: Callable[[Any], bool]


DISTRIBUTION = Wanted(
    "distribution",
    "Categorical(logits) or SquashedGaussian(mean, log_deviation) of symla.core.distributions",
    lambda x: hasattr(x, "log_probability"),
)


def action_of(spec: Spec) -> Wanted:
    """An action of the environment's space."""
    continuous = isinstance(spec.action, Continuous)
    wanted = f"float32[{spec.action_size}]" if continuous else "int32[]"
    return Wanted("action", wanted, lambda x: isinstance(x, jax.Array) and kind_of(x) == wanted)


def look_at_pair(
    subject: Subject, method: str, wanted: Wanted, result: Any, second: str = "state"
) -> None:
    """Whether a method returns what is wanted, and a pytree of arrays that is called `second`."""
    if type(result) is not tuple or len(result) != 2:
        raise subject.fault(
            method,
            f"returns {values_of(result)}: it must return two values, {wanted.what} and {second}",
        )
    if not wanted.fits(result[0]):
        raise subject.fault(
            method, f"has {kind_of(result[0])} for its {wanted.what}: it must be {wanted.type}"
        )
    check_arrays(subject, method, second, result[1])


def check_actions(subject: Subject, method: str, spec: Spec, actions: np.ndarray) -> None:
    """Whether they are within the bounds; there are two axes before those of one action."""
    flat = actions.reshape(-1, *actions.shape[2:])
    if not are_actions(flat).all():
        raise subject.fault(method, "takes actions that are not finite, or numbered below 0")
    low, high = (-1, 1) if isinstance(spec.action, Continuous) else (0, spec.action_size - 1)
    if actions.min() < low or actions.max() > high:
        raise subject.fault(
            method,
            f"takes actions from {actions.min()} to {actions.max()}: they must be from {low} to "
            f"{high}",
        )
