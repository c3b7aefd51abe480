"""The C++ kernels of the layer update and of its gradient, and the weights as they read them.

CPU only, float32, and one thread per call, because the population is sharded over devices. A
library must be loaded before what calls it is traced.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.symla.layer import Weights
from symla.core.compiler import load_library

PACK, UPDATE = "symla_pack_weights", "symla_update_layer"
TRANSPOSE, GRADIENT = "symla_pack_transposed", "symla_layer_gradient"


class KernelLibrary(NamedTuple):
    """The compiled library of the update."""

    path: Path
    vector_bits: int  # of the vector registers that it was compiled for
    packed_size: Callable[[int, int, int], int]  # (units, inputs, message size) -> numbers


@cache
def load_kernel() -> KernelLibrary:
    """Compile or load the update and register it with JAX, once. Raises CompilerError."""
    library, path = _load("fused.cc", PACK, UPDATE)
    return KernelLibrary(path, library.symla_vector_bits(), library.symla_packed_size)


@cache
def load_gradient_kernel() -> Callable[[int, int, int], int]:
    """Compile or load both, once. Raises CompilerError.

    Returns the function (units, inputs, message size) -> numbers of the transposed weights.
    """
    load_kernel()
    library, _ = _load("fused_gradient.cc", TRANSPOSE, GRADIENT)
    return library.symla_transposed_size


def _load(source: str, *targets: str) -> tuple[ctypes.CDLL, Path]:
    library, path = load_library(Path(__file__).with_name(source))
    for target in targets:
        jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(library[target]), platform="cpu")
    return library, path


def pack(weights: Weights) -> Float[Array, "*batch packed"]:
    """The weights in the order in which the update reads them, padded to full vectors.

    They may have leading axes of a batch, of size 1 where a part is not batched.
    """
    return _packed(weights, PACK, load_kernel().packed_size)


def transpose(weights: Weights) -> Float[Array, "*batch packed"]:
    """The matrices of the weights, transposed, as the gradient reads them."""
    return _packed(weights, TRANSPOSE, load_gradient_kernel())


def _packed(
    weights: Weights, target: str, size: Callable[[int, int, int], int]
) -> Float[Array, "*batch packed"]:
    units, inputs = weights.recurrent.shape[-2], weights.below.shape[-2]
    leaves = jax.tree.leaves(weights)
    rank = weights.bias.ndim - 1
    batch = jnp.broadcast_shapes(*(x.shape[:rank] for x in leaves))
    shape = (*batch, size(units, inputs, weights.forward.bias.shape[-1]))
    result = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.ffi.ffi_call(target, result, vmap_method="expand_dims")(*leaves)


@jax.custom_batching.custom_vmap
def batched_like(x, others):
    """`x`, but with a batch axis if one of `others` has one: a kernel updates `x` in place."""
    return x


@batched_like.def_vmap
def _(size, batched, x, others):
    whole = jax.tree.map(
        lambda leaf, there: leaf if there else jnp.broadcast_to(leaf, (size, *leaf.shape)),
        *(x, batched[0]),
    )
    return batched_like(whole, others), jax.tree.map(lambda _: True, whole)
