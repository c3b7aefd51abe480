"""The fused update of a SymLA layer, and the choice between it and plain JAX."""

from symla.kernels.base import Aggregation, Layer, Weights
from symla.kernels.choice import Backend, fast_key, kernel_report, update_layer

__all__ = [
    "Aggregation",
    "Backend",
    "Layer",
    "Weights",
    "fast_key",
    "kernel_report",
    "update_layer",
]
