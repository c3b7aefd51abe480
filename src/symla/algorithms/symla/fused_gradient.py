"""The derivative of the fused layer update: backwards one C++ call (fused_gradient.cc).

JAX asks for the derivative as a linear map from tangents, which it transposes to go backwards. The
map is a primitive, because only a primitive knows, when it is transposed, along which axes of a
batch the weights were shared: there the kernel adds their gradient up, lifetime by lifetime, where
`jax.custom_vjp` would need one gradient of all weights for each lifetime and sum them afterwards.

The only residuals are the arguments of the update. Forwards the map is that of plain JAX.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from symla.algorithms.symla import plain
from symla.algorithms.symla.fused_libraries import GRADIENT, batched_like, pack, transpose
from symla.algorithms.symla.layer import Aggregation, Layer, Weights
from symla.core.errors import SettingError
from symla.core.networks import Linear


class Arguments(NamedTuple):
    """What the update of a layer depends on."""

    weights: Weights
    hidden: Float[Array, "A B N"]
    cell: Float[Array, "A B N"]
    below: Float[Array, "A I"]
    above: Float[Array, "B I"]
    shared: Float[Array, " 2"]


_LEAF: Any = 0
_STRUCTURE = jax.tree.structure(
    Arguments(
        Weights(_LEAF, _LEAF, _LEAF, _LEAF, _LEAF, Linear(_LEAF, _LEAF), Linear(_LEAF, _LEAF)),
        *(_LEAF, _LEAF, _LEAF, _LEAF, _LEAF),
    )
)
_PARTS = 14  # leaves of it


def tangent(
    arguments: Arguments, tangents: Arguments, micro_ticks: int, aggregation: Aggregation
) -> Layer:
    """The derivative of the update at `arguments` in the direction of `tangents`."""
    operands = *jax.tree.leaves(arguments), *jax.tree.leaves(tangents)
    return Layer(*_tangent_p.bind(*operands, micro_ticks=micro_ticks, aggregation=aggregation))


_tangent_p = Primitive("symla_layer_tangent")
_tangent_p.multiple_results = True
# Its operands are the leaves of the arguments and those of the tangents. Under vmap all of them
# have the same number of leading axes; along one of size 1 an operand is not batched.


def _plain_tangent(*operands: Array, micro_ticks: int, aggregation: Aggregation) -> Layer:
    """The primitive in plain JAX."""
    if _batch_rank(operands):
        size = max(x.shape[0] for x in operands)
        axes = tuple(0 if x.shape[0] == size else None for x in operands)
        one = [x if axis == 0 else x[0] for x, axis in zip(operands, axes)]
        function = partial(_plain_tangent, micro_ticks=micro_ticks, aggregation=aggregation)
        return jax.vmap(function, axes)(*one)

    def update(arguments: Arguments) -> Layer:
        weights, hidden, cell, below, above, shared = arguments
        nothing: Any = None  # the update does not read the layer's own messages
        layer = Layer(hidden, cell, nothing, nothing)
        settings = micro_ticks, aggregation
        return plain.update_layer(weights, layer, below, above, shared, *settings)

    halves = operands[:_PARTS], operands[_PARTS:]
    primals, tangents = (jax.tree.unflatten(_STRUCTURE, half) for half in halves)
    return jax.jvp(update, (primals,), (tangents,))[1]


def _batch_rank(operands: Sequence[Any]) -> int:
    return len(operands[0].shape) - 2  # the first one is a matrix


def _lists_of(function: Callable[..., Layer]) -> Callable[..., list[Array]]:
    return lambda *operands, **settings: list(function(*operands, **settings))


def _abstract(*operands: Any, **settings: Any) -> list[Any]:
    shapes = jax.eval_shape(
        partial(_plain_tangent, **settings),
        *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in operands),
    )
    return [jax.core.ShapedArray(x.shape, x.dtype) for x in shapes]


def _batch(operands: Sequence[Array], axes: Sequence[int | None], **settings: Any):
    operands = [
        x[None] if axis is None else jnp.moveaxis(x, axis, 0) for x, axis in zip(operands, axes)
    ]
    return _tangent_p.bind(*operands, **settings), [0] * 4


def _differentiate(primals: Sequence[Any], tangents: Sequence[Any], **settings: Any):
    """Second derivatives are those of plain JAX, as long as nothing goes backwards first."""
    whole = tuple(map(ad.instantiate_zeros, tangents))
    function = _lists_of(partial(_plain_tangent, **settings))
    return jax.jvp(function, tuple(primals), whole)


def _transpose(cotangents: Sequence[Any], *operands: Any, **settings: Any) -> list[Array | None]:
    primals, tangents = operands[:_PARTS], operands[_PARTS:]
    given = Layer(*map(ad.instantiate_zeros, cotangents))
    found = _gradient(given, jax.tree.unflatten(_STRUCTURE, primals), **settings)
    # A tangent that is known is zero: a linear map has no other.
    wanted = [
        _summed(x, to.aval.shape) if ad.is_undefined_primal(to) else None
        for x, to in zip(jax.tree.leaves(found), tangents, strict=True)
    ]
    return [None] * _PARTS + wanted


def _summed(x: Array, shape: tuple[int, ...]) -> Array:
    """Over those axes of a batch along which an argument is the same."""
    axes = tuple(i for i, (size, wanted) in enumerate(zip(x.shape, shape)) if size != wanted)
    return jnp.sum(x, axes, keepdims=True) if axes else x


_tangent_p.def_impl(
    _lists_of(jax.jit(_plain_tangent, static_argnames=("micro_ticks", "aggregation")))
)
_tangent_p.def_abstract_eval(_abstract)
mlir.register_lowering(_tangent_p, mlir.lower_fun(_lists_of(_plain_tangent), multiple_results=True))
batching.primitive_batchers[_tangent_p] = _batch
ad.primitive_jvps[_tangent_p] = _differentiate
ad.primitive_transposes[_tangent_p] = _transpose


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _gradient(
    of_new: Layer, arguments: Arguments, micro_ticks: int, aggregation: Aggregation
) -> Arguments:
    """The gradient with respect to `arguments`, from that with respect to the update's result.

    All may have leading axes of a batch, as operands of the primitive have; the gradient of weights
    has the shape of the weights, that of others is of the whole batch.
    """
    weights, hidden, cell, *others = arguments
    inputs = hidden, cell, pack(weights), transpose(weights), *others
    batch = of_new.hidden.shape[:-3]
    whole = [(*batch, *x.shape[len(batch) :]) for x in (hidden, cell, *others)]
    shapes = *whole, *(x.shape for x in jax.tree.leaves(weights))
    call = jax.ffi.ffi_call(
        GRADIENT,
        tuple(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes),
        vmap_method="expand_dims",
        input_output_aliases={7: 0, 8: 1},  # in place, so that a scan does not copy it
    )
    of_state = batched_like((of_new.hidden, of_new.cell), inputs)
    found = call(
        *(*inputs, *of_state, of_new.forward, of_new.backward),
        micro_ticks=np.int64(micro_ticks),
        sum=aggregation == "sum",
    )
    return Arguments(jax.tree.unflatten(jax.tree.structure(weights), found[5:]), *found[:5])


@_gradient.defjvp
def _(micro_ticks, aggregation, primals, tangents):
    raise SettingError(
        "the fused kernel has no second derivative of this kind: take SymLA(backend='plain')"
    )
