"""SymLA: the algorithm, and the update of one of its layers in plain JAX and as a fused kernel."""

from symla.algorithms.symla.algorithm import SymLA

__all__ = ["SymLA"]
