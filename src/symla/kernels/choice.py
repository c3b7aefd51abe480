"""Which form of the layer update runs: fused where it can be had, plain JAX everywhere else.

Room: kernels.
"""

import logging
import os
from functools import cache
from typing import Any, Literal, get_args

import jax
from jaxtyping import Array, Float

from symla.errors import require
from symla.kernels import compiler, fused, plain, random
from symla.kernels.base import Aggregation, Layer, Weights
from symla.types import PRNGKey

Backend = Literal["auto", "plain", "fused"]

_FORMS = {"plain": plain.update_layer, "fused": fused.update_layer}


def update_layer(
    weights: Weights,
    layer: Layer,
    below: Float[Array, "A I"],
    above: Float[Array, "B I"],
    shared: Float[Array, " 2"],
    micro_ticks: int,
    aggregation: Aggregation,
    backend: Backend = "auto",
) -> Layer:
    """Eqs. 6 to 9, see `plain.update_layer`. Both forms agree to float rounding.

    "auto" is what the environment variable SYMLA_KERNEL says, or else fused on a CPU with a C++
    compiler, and plain elsewhere. Raises SettingError where "fused" is asked for and cannot be had.
    """
    form = _FORMS[_choose(backend)[0]]
    return form(weights, layer, below, above, shared, micro_ticks, aggregation)


def fast_key(key: PRNGKey) -> PRNGKey:
    """The same key, from which the same bits are drawn faster where the fused kernel runs."""
    return random.fast(key) if _choose("auto")[0] == "fused" else key


def kernel_report() -> dict[str, Any]:
    """Which form "auto" runs here, and why; the compiler, the library, and its vector width."""
    backend, reason = _choose("auto")
    library = fused.load() if backend == "fused" else None
    return {
        "backend": backend,
        "reason": reason,
        "compiler": compiler.find_compiler(),
        "library": str(library.path) if library else None,
        "vector_bits": library.vector_bits if library else None,
    }


def _choose(backend: str) -> tuple[str, str]:
    """The form, and why."""
    who = "backend"
    if backend == "auto":
        who, backend = "SYMLA_KERNEL", os.environ.get("SYMLA_KERNEL") or "auto"
    known = get_args(Backend)
    require(backend in known, f"{who} must be one of {', '.join(known)}, got {backend!r}")
    if backend == "plain":
        return "plain", f"{who} asks for it"
    obstacle = _obstacle()
    if backend == "fused":
        require(obstacle is None, f"{who} asks for the fused kernel, but {obstacle}")
        return "fused", f"{who} asks for it"
    return ("fused", "it is faster") if obstacle is None else ("plain", obstacle)


@cache
def _obstacle() -> str | None:
    """What stands in the way of the fused kernel; said once if the person can remove it."""
    if jax.default_backend() != "cpu":
        return f"it runs on CPU only, and JAX uses {jax.default_backend()}"
    try:
        fused.load()
        random.implementation()
    except compiler.CompilerError as error:
        logging.getLogger("symla").warning(
            "the fused kernel is not available, plain JAX runs instead, half as fast: %s",
            error,
        )
        return str(error)
    return None
