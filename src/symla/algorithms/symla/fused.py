"""The layer update as one C++ call for many lifetimes (fused.cc).

CPU only, float32, and one thread per call, because the population is sharded over devices.
`load_kernel` compiles and loads the library; it must succeed before `update_layer` is traced.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from symla.algorithms.symla import plain
from symla.algorithms.symla.layer import Aggregation, Layer, Weights
from symla.core.compiler import load_library

_PACK, _UPDATE = "symla_pack_weights", "symla_update_layer"


class KernelLibrary(NamedTuple):
    """The compiled library."""

    path: Path
    vector_bits: int  # of the vector registers that it was compiled for
    packed_size: Callable[[int, int, int], int]  # (units, inputs, message size) -> numbers


@cache
def load_kernel() -> KernelLibrary:
    """Compile or load the library and register it with JAX, once. Raises CompilerError."""
    library, path = load_library(Path(__file__).with_name("fused.cc"))
    for target in (_PACK, _UPDATE):
        jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(library[target]), platform="cpu")
    return KernelLibrary(path, library.symla_vector_bits(), library.symla_packed_size)


@partial(jax.custom_jvp, nondiff_argnums=(5, 6))
def update_layer(
    weights: Weights,
    layer: Layer,
    below: Float[Array, "A I"],
    above: Float[Array, "B I"],
    shared: Float[Array, " 2"],
    micro_ticks: int,
    aggregation: Aggregation,
) -> Layer:
    """The same as `plain.update_layer`, to float rounding.

    The result for one lifetime does not depend, bit for bit, on how many are in the batch.
    """
    shapes = jax.eval_shape(
        partial(plain.update_layer, micro_ticks=micro_ticks, aggregation=aggregation),
        *(weights, layer, below, above, shared),
    )
    inputs = (pack(weights), below, above, shared)
    hidden, cell = _batched_like((layer.hidden, layer.cell), inputs)
    call = jax.ffi.ffi_call(
        _UPDATE,
        tuple(shapes),
        vmap_method="expand_dims",
        input_output_aliases={0: 0, 1: 1},  # in place, so that a scan does not copy the state
    )
    new = call(hidden, cell, *inputs, micro_ticks=np.int64(micro_ticks), sum=aggregation == "sum")
    return Layer(*new)


def pack(weights: Weights) -> Float[Array, " packed"]:
    """The weights in the order in which the kernel reads them, padded to full vectors."""
    inputs, units = weights.below.shape[0], weights.recurrent.shape[0]
    size = load_kernel().packed_size(units, inputs, weights.forward.bias.size)
    shape = jax.ShapeDtypeStruct((size,), jnp.float32)
    return jax.ffi.ffi_call(_PACK, shape, vmap_method="expand_dims")(*jax.tree.leaves(weights))


@jax.custom_batching.custom_vmap
def _batched_like(x, others):
    """`x`, but with a batch axis if one of `others` has one: the kernel updates `x` in place."""
    return x


@_batched_like.def_vmap
def _(size, batched, x, others):
    whole = jax.tree.map(
        lambda leaf, there: leaf if there else jnp.broadcast_to(leaf, (size, *leaf.shape)),
        *(x, batched[0]),
    )
    return _batched_like(whole, others), jax.tree.map(lambda _: True, whole)


@update_layer.defjvp
def _differentiate(micro_ticks, aggregation, primals, tangents):
    """Derivatives are those of `plain.update_layer`."""
    function = partial(plain.update_layer, micro_ticks=micro_ticks, aggregation=aggregation)
    return jax.jvp(function, primals, tangents)
