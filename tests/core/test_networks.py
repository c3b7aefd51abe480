"""The LSTM cell against equinox's, and its initialisation."""

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.networks import init_linear, init_lstm, linear, lstm


@pytest.mark.parametrize(("inputs", "hidden_size"), [(1, 1), (20, 16), (5, 17)])
def test_lstm_equals_equinox(key, inputs, hidden_size):
    params = init_lstm(key, inputs, hidden_size)
    other = equinox.nn.LSTMCell(inputs, hidden_size, key=key)
    # equinox stacks the same gates in the same order, with transposed weights.
    other = equinox.tree_at(
        lambda cell: (cell.weight_ih, cell.weight_hh, cell.bias),
        other,
        (params.input.T, params.recurrent.T, params.bias),
    )
    hidden, cell, x = (
        jax.random.normal(k, (size,))
        for k, size in zip(jax.random.split(key, 3), (hidden_size, hidden_size, inputs))
    )
    theirs = other(x, (hidden, cell))
    ours = lstm(params, hidden, cell, x)
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-6)


def test_forget_gate_starts_open(key):
    bias = init_lstm(key, 3, 4).bias.reshape(4, 4)
    assert bias.tolist() == [[0.0] * 4, [1.0] * 4, [0.0] * 4, [0.0] * 4]


def test_linear(key):
    params = init_linear(key, 3, 2)
    x = jnp.array([1.0, -2.0, 0.5])
    expected = np.asarray(x) @ np.asarray(params.weight) + np.asarray(params.bias)
    np.testing.assert_allclose(linear(params, x), expected, rtol=1e-6)
