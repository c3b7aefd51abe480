"""Whether a C++ kernel runs or plain JAX: the same question for every kernel of the package."""

import logging
import os
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, get_args

import jax

from symla.core.compiler import CompilerError
from symla.core.errors import require

Backend = Literal["auto", "plain", "fused"]


def choose_backend(backend: str, compile_kernel: Callable[[], Any]) -> tuple[str, str]:
    """ "plain" or "fused", and why.

    "auto" is what the environment variable SYMLA_KERNEL says, or else fused on a CPU where
    `compile_kernel` succeeds, and plain elsewhere. Raises SettingError where "fused" is asked for
    and cannot be had.
    """
    who = "backend"
    if backend == "auto":
        who, backend = "SYMLA_KERNEL", os.environ.get("SYMLA_KERNEL") or "auto"
    known = get_args(Backend)
    require(backend in known, f"{who} must be one of {', '.join(known)}, got {backend!r}")
    if backend == "plain":
        return "plain", f"{who} asks for it"
    obstacle = find_obstacle(compile_kernel)
    if backend == "fused":
        require(obstacle is None, f"{who} asks for the fused kernel, but {obstacle}")
        return "fused", f"{who} asks for it"
    return ("fused", "it is faster") if obstacle is None else ("plain", obstacle)


@cache
def find_obstacle(compile_kernel: Callable[[], Any]) -> str | None:
    """Why the kernel cannot run here; None if it can."""
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
    """Once, however many kernels lack a compiler."""
    logging.getLogger("symla").warning(
        "the fused kernel is not available, plain JAX runs instead, half as fast: %s", reason
    )
