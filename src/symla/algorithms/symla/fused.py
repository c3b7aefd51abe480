"""The layer update as one C++ call for many lifetimes (fused.cc).

`load_kernel` must succeed before `update_layer` is traced.
"""

from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from symla.algorithms.symla import plain
from symla.algorithms.symla.fused_gradient import Arguments, tangent
from symla.algorithms.symla.fused_libraries import (
    UPDATE,
    batched_like,
    load_gradient_kernel,
    pack,
)
from symla.algorithms.symla.layer import Aggregation, Layer, Weights
from symla.core.compiler import CompilerError


@partial(jax.custom_jvp, nondiff_argnums=(5, 6, 7))
def update_layer(
    weights: Weights,
    layer: Layer,
    below: Float[Array, "A I"],
    above: Float[Array, "B I"],
    shared: Float[Array, " 2"],
    micro_ticks: int,
    aggregation: Aggregation,
    in_place: bool = True,
) -> Layer:
    """The same as `plain.update_layer`, to float rounding.

    The result for one lifetime does not depend, bit for bit, on how many are in the batch. The
    state is updated in place, so that a scan does not copy it.
    """
    shapes = jax.eval_shape(
        partial(plain.update_layer, micro_ticks=micro_ticks, aggregation=aggregation),
        *(weights, layer, below, above, shared),
    )
    inputs = (pack(weights), below, above, shared)
    hidden, cell = batched_like((layer.hidden, layer.cell), inputs)
    call = jax.ffi.ffi_call(
        UPDATE,
        tuple(shapes),
        vmap_method="expand_dims",
        input_output_aliases={0: 0, 1: 1} if in_place else None,
    )
    new = call(hidden, cell, *inputs, micro_ticks=np.int64(micro_ticks), sum=aggregation == "sum")
    return Layer(*new)


@update_layer.defjvp
def _differentiate(
    micro_ticks: int, aggregation: Aggregation, in_place: bool, primals: Any, tangents: Any
) -> tuple[Layer, Layer]:
    try:
        load_gradient_kernel()
    except CompilerError:
        function = partial(plain.update_layer, micro_ticks=micro_ticks, aggregation=aggregation)
        return jax.jvp(function, primals, tangents)
    along = tangent(_arguments(*primals), _arguments(*tangents), micro_ticks, aggregation)
    # The old state is kept for the way back: were it updated in place, XLA would copy it twice.
    return update_layer(*primals, micro_ticks, aggregation, False), along


def _arguments(weights: Weights, layer: Layer, *inputs: Array) -> Arguments:
    """The update does not read the layer's own messages."""
    return Arguments(weights, layer.hidden, layer.cell, *inputs)
