"""The fused update of a SymLA layer, and the choice between it and plain JAX."""

from symla.kernels.base import Aggregation, Layer, Weights
from symla.kernels.plain import update_layer

__all__ = ["Aggregation", "Layer", "Weights", "update_layer"]
