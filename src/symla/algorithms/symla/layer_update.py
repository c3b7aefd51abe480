"""Chooses the implementation of the layer update: the fused kernel if available, else plain JAX."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Float

from symla.algorithms.symla import fused, plain
from symla.algorithms.symla.fused_libraries import load_gradient_kernel, load_kernel
from symla.algorithms.symla.layer import Aggregation, Layer, Weights
from symla.core.backends import Backend, choose_backend
from symla.core.compiler import find_compiler

_IMPLEMENTATIONS: dict[str, Callable[..., Layer]] = {
    "plain": plain.update_layer,
    "fused": fused.update_layer,
}


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
    """Eqs. 6 to 9, see `plain.update_layer`. The implementations agree to float rounding.

    Raises SettingError where "fused" is asked for and not available.
    """
    if aggregation == "sorted-mean":  # which the fused kernel does not have
        backend = "plain"
    implementation = _IMPLEMENTATIONS[choose_backend(backend, load_kernel)[0]]
    return implementation(weights, layer, below, above, shared, micro_ticks, aggregation)


def has_fused_gradient(backend: Backend) -> bool:
    """Whether "fused" is what `backend` chooses here, and its gradient is fused, too."""
    return choose_backend(backend, load_gradient_kernel)[0] == "fused"


def kernel_report() -> dict[str, Any]:
    """What "auto" chooses here, and why; the compiler, the library and its vector width."""
    backend, reason = choose_backend("auto", load_kernel)
    library = load_kernel() if backend == "fused" else None
    return {
        "backend": backend,
        "reason": reason,
        "compiler": find_compiler(),
        "library": str(library.path) if library else None,
        "vector_bits": library.vector_bits if library else None,
    }
