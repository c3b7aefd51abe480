"""Everything is computed in float32, also in a program that has 64-bit jax on for another part.

With `jax_enable_x64` JAX makes float64 of `jnp.ones(1)`, and other random numbers of a key: results
would differ, and scans and kernels, which are in float32, fail. So whatever is public runs with it
off. That is a setting of the thread while it runs, which JAX's caches respect: the program around
keeps its own, whenever it sets it, and nothing, a person's own environment included, need name a
type wherever it makes an array.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

P = ParamSpec("P")
R = TypeVar("R")
HALF = {"float64": "float32", "int64": "int32", "uint64": "uint32"}


_outside: ContextVar[bool | None] = ContextVar("outside", default=None)  # None: not within ours


def in_float32(function: Callable[P, R]) -> Callable[P, R]:
    """`function` with 64-bit jax off while it runs."""

    @wraps(function)
    def run(*arguments: P.args, **keywords: P.kwargs) -> R:
        token = _outside.set(_setting_outside())
        try:
            with jax.enable_x64(False):
                return function(*arguments, **keywords)
        finally:
            _outside.reset(token)

    return run


def as_outside(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, a person's own that we call back, with the setting of the program around."""
    setting = _setting_outside()

    @wraps(function)
    def run(*arguments: P.args, **keywords: P.kwargs) -> R:
        token = _outside.set(None)
        try:
            with jax.enable_x64(setting):
                return function(*arguments, **keywords)
        finally:
            _outside.reset(token)

    return run


def _setting_outside() -> bool:
    outside = _outside.get()
    return jax.enable_x64.value if outside is None else outside


def methods_in_float32(kind: type, *names: str) -> None:
    """The same for those methods of a class that it has, called by hand, with arrays of 64 bits."""
    for name in names:
        if name in vars(kind):
            setattr(kind, name, _narrowing(getattr(kind, name)))


def _narrowing(method: Callable[..., Any]) -> Callable[..., Any]:
    @in_float32
    @wraps(method)
    def run(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return method(self, *narrowed(arguments), **narrowed(keywords))

    return run


def narrowed(tree: Any) -> Any:
    """Its arrays of 64 bits as arrays of 32."""
    return jax.tree.map(lambda x: jnp.asarray(x, HALF[x.dtype.name]) if _is_wide(x) else x, tree)


def _is_wide(x: Any) -> bool:
    return hasattr(x, "dtype") and getattr(x.dtype, "name", "") in HALF
