"""Linear maps, perceptrons and LSTMs: NamedTuples of arrays, and functions on one example, which
`vmap` batches.

Parameters are pytrees, so `jax.tree.map` perturbs, averages and stores them.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.linear_algebra import orthogonal
from symla.core.types import PRECISION, PRNGKey


class Linear(NamedTuple):
    """Parameters of a linear map from I to O numbers."""

    weight: Float[Array, "I O"]
    bias: Float[Array, " O"]


class LSTM(NamedTuple):
    """Parameters of an LSTM of N units. Gates are stacked: input, forget, candidate, output."""

    input: Float[Array, "I G"]
    recurrent: Float[Array, "N G"]
    bias: Float[Array, " G"]


def dot(x: Float[Array, "*batch I"], weight: Float[Array, "I O"]) -> Float[Array, "*batch O"]:
    """`x @ weight` over the last axis, with float32 products (see PRECISION)."""
    return jnp.tensordot(x, weight, axes=1, precision=PRECISION)


def init_weight(key: PRNGKey, inputs: int, outputs: int, fan_in: int) -> Float[Array, "I O"]:
    """Independent normal numbers of mean 0 and variance 1 / fan_in."""
    return jax.random.normal(key, (inputs, outputs)) / jnp.sqrt(float(fan_in))


def init_linear(key: PRNGKey, inputs: int, outputs: int) -> Linear:
    """Weights of variance 1 / inputs, and biases of zero."""
    return Linear(init_weight(key, inputs, outputs, inputs), jnp.zeros(outputs))


def linear(params: Linear, x: Float[Array, "*batch I"]) -> Float[Array, "*batch O"]:
    """`x @ weight + bias`."""
    product = dot(x, params.weight)
    return product + jnp.broadcast_to(params.bias, product.shape)


def init_uniform_linear(key: PRNGKey, inputs: int, outputs: int) -> Linear:
    """Weights and biases uniform within +-1 / sqrt(inputs), as PyTorch draws them."""
    weight_key, bias_key = jax.random.split(key)
    bound = 1.0 / math.sqrt(inputs)
    return Linear(
        jax.random.uniform(weight_key, (inputs, outputs), minval=-bound, maxval=bound),
        jax.random.uniform(bias_key, (outputs,), minval=-bound, maxval=bound),
    )


def init_orthogonal_linear(key: PRNGKey, inputs: int, outputs: int, gain: float = 1.0) -> Linear:
    """Weights whose rows or columns are orthonormal, times `gain`, and biases of zero."""
    shape = max(inputs, outputs), min(inputs, outputs)
    tall = gain * orthogonal(jax.random.normal(key, shape))
    weight = tall if inputs >= outputs else tall.T
    return Linear(weight, jnp.zeros(outputs))


class LayerNorm(NamedTuple):
    """Gain and bias of a layer norm (Ba et al. 2016)."""

    gain: Float[Array, " O"]
    bias: Float[Array, " O"]


class Dense(NamedTuple):
    """A layer of a perceptron."""

    linear: Linear
    norm: LayerNorm | None = None


Perceptron = tuple[Dense, ...]
"""The layers of a multi-layer perceptron, from its input to its output."""


def init_perceptron(
    key: PRNGKey,
    sizes: Sequence[int],
    init: Callable[[PRNGKey, int, int], Linear] = init_uniform_linear,
    *,
    normalise: bool = False,
) -> Perceptron:
    """Layers from `sizes[0]` numbers to `sizes[-1]`, each drawn by `init`; with `normalise` there
    is a layer norm in all but the last."""
    keys = jax.random.split(key, len(sizes) - 1)
    layers = [init(k, i, o) for k, (i, o) in zip(keys, pairwise(sizes))]
    norms = [LayerNorm(jnp.ones(o), jnp.zeros(o)) if normalise else None for o in sizes[1:-1]]
    return tuple(map(Dense, layers, [*norms, None]))


def perceptron(
    params: Perceptron,
    x: Float[Array, "*batch I"],
    activation: Callable[[Array], Array] = jax.nn.relu,
) -> Float[Array, "*batch O"]:
    """Each layer's linear map, then its norm if it has one; `activation` between layers."""
    *hidden, last = params
    for layer in hidden:
        x = linear(layer.linear, x)
        x = activation(layer_norm(layer.norm, x) if layer.norm else x)
    return linear(last.linear, x)


def layer_norm(params: LayerNorm, x: Float[Array, "*batch O"]) -> Float[Array, "*batch O"]:
    """Mean 0 and variance 1 over the last axis, then gain and bias."""
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    scale = jax.lax.rsqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-6)
    gain, bias = (jnp.broadcast_to(y, x.shape) for y in (params.gain, params.bias))
    return centred * scale * gain + bias


def init_gate_bias(hidden_size: int) -> Float[Array, " G"]:
    """Zero, but 1 for the forget gate, so that a new LSTM keeps its cell state."""
    return jnp.zeros((4, hidden_size)).at[1].set(1.0).reshape(-1)


def init_lstm(key: PRNGKey, inputs: int, hidden_size: int) -> LSTM:
    """Weights of variance 1 / (inputs + hidden_size); biases as in `init_gate_bias`."""
    input_key, recurrent_key = jax.random.split(key)
    fan_in = inputs + hidden_size
    return LSTM(
        input=init_weight(input_key, inputs, 4 * hidden_size, fan_in),
        recurrent=init_weight(recurrent_key, hidden_size, 4 * hidden_size, fan_in),
        bias=init_gate_bias(hidden_size),
    )


def lstm_gates(
    preactivation: Float[Array, "*batch G"], cell: Float[Array, "*batch N"]
) -> tuple[Float[Array, "*batch N"], Float[Array, "*batch N"]]:
    """Apply the gates: c' = f c + i g, h' = o tanh(c'). Returns hidden, cell."""
    input_, forget, candidate, output = jnp.split(preactivation, 4, axis=-1)
    cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(input_) * jnp.tanh(candidate)
    return jax.nn.sigmoid(output) * jnp.tanh(cell), cell


def lstm(
    params: LSTM, hidden: Float[Array, " N"], cell: Float[Array, " N"], x: Float[Array, " I"]
) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """One step of an LSTM. Returns hidden, cell."""
    return lstm_gates(dot(x, params.input) + dot(hidden, params.recurrent) + params.bias, cell)
