"""The choice between a C++ kernel and plain JAX, made in the same way for every kernel."""

import logging
import os
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, get_args

import jax

from symla.core.compiler import CompilerError
from symla.core.errors import require

Backend = Literal["auto", "plain", "fused"]
"""How to compute: with plain JAX, with the fused C++ kernel, or with whichever suits."""


def choose_backend(backend: str, compile_kernel: Callable[[], Any]) -> tuple[str, str]:
    """Returns "plain" or "fused", and the reason in words.

    "auto" takes the value of the environment variable SYMLA_KERNEL; where that is not set, fused
    on a CPU where `compile_kernel` succeeds, and plain elsewhere. Raises SettingError for an
    unknown backend, and where "fused" is asked for and not available.
    """
    source = "backend"  # of the setting, for messages
    if backend == "auto":
        source, backend = "SYMLA_KERNEL", os.environ.get("SYMLA_KERNEL") or "auto"
    known = get_args(Backend)
    require(backend in known, f"{source} must be one of {', '.join(known)}, got {backend!r}")
    if backend == "plain":
        return "plain", f"{source} asks for it"
    unavailable = why_unavailable(compile_kernel)
    if backend == "fused":
        require(unavailable is None, f"{source} asks for the fused kernel, but {unavailable}")
        return "fused", f"{source} asks for it"
    return ("fused", "it is faster") if unavailable is None else ("plain", unavailable)


@cache
def why_unavailable(compile_kernel: Callable[[], Any]) -> str | None:
    """The reason why the kernel cannot run here; None if it can."""
    if jax.default_backend() != "cpu":
        return f"it runs on CPU only, and JAX uses {jax.default_backend()}"
    try:
        compile_kernel()
    except CompilerError as error:
        _warn(str(error))
        return str(error)
    return None


@cache
def _warn(reason: str) -> None:
    """Log the reason. Cached: once, however many kernels cannot be compiled for it."""
    logging.getLogger("symla").warning(
        "the fused kernel is not available, plain JAX runs instead, half as fast: %s", reason
    )
