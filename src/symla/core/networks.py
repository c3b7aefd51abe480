"""Linear maps and LSTMs as NamedTuples of arrays and functions on one example; `vmap` batches them.

Parameters are pytrees, so `jax.tree.map` perturbs, averages and stores them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

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


def linear(params: Linear, x: Float[Array, " I"]) -> Float[Array, " O"]:
    """`x @ weight + bias`."""
    return dot(x, params.weight) + params.bias


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
