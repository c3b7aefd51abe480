"""Traces a method as jit does, twice, and says what it must not do there."""

import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from symla.testing.subject import Subject

# What runs once or twice is hardly optimised, and so compiled in half the time.
QUICKLY = {"xla_backend_optimization_level": 0}
ADDRESS = re.compile(r"0x[0-9a-f]+")
CHANGES = (
    "gives other numbers each time it is compiled: it draws from numpy's or Python's random "
    "numbers, reads a clock or counts its calls: draw with jax.random from the key it is given"
)


def trace(
    subject: Subject,
    method: str,
    look: Callable[[Any], None],
    *arguments: Any,
    before: tuple[Any, ...] = (),
    after: tuple[Any, ...] = (),
    keys_once: bool = False,
) -> Any:
    """The shapes of what the method returns for `arguments` of these shapes, which stand between
    static ones.

    `look` checks what it returns, and raises. `keys_once` also checks that no key is used twice.
    Raises the subject's error if the method raises, keeps an array, or is not a pure function.
    """

    def call(*arguments: Any) -> Any:
        result = getattr(subject.thing, method)(*before, *arguments, *after)
        look(result)
        return result

    with subject.calling(method):
        with jax.checking_leaks():
            first, shapes = jax.make_jaxpr(call, return_shape=True)(*arguments)
        with jax.debug_key_reuse(keys_once):  # a function of its own: jax would know the other
            again = jax.make_jaxpr(lambda *arguments: call(*arguments))(*arguments)
    if not _same(first, again):
        raise subject.fault(method, CHANGES)
    return shapes


def _same(one: Any, other: Any) -> bool:
    """Whether two traces compute the same."""
    texts = [ADDRESS.sub("", str(trace)) for trace in (one, other)]
    return texts[0] == texts[1] and all(map(_equal, one.consts, other.consts))


def _equal(one: Any, other: Any) -> bool:
    if jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key):
        one, other = map(jax.random.key_data, (one, other))
    return np.array_equal(np.asarray(one), np.asarray(other), equal_nan=one.dtype.kind == "f")
