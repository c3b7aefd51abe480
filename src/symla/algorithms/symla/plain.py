"""The layer update in plain JAX: the reference that the fused kernel is tested against."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.symla.layer import Aggregation, Layer, Weights
from symla.core.networks import dot, linear, lstm_gates


def update_layer(
    weights: Weights,
    layer: Layer,
    below: Float[Array, "A I"],
    above: Float[Array, "B I"],
    shared: Float[Array, " 2"],
    micro_ticks: int,
    aggregation: Aggregation,
) -> Layer:
    """Eqs. 6 to 9 of Kirsch et al. 2022: update every LSTM of the layer, then its messages.

        h_ab  <- LSTM(h_ab, below_a, above_b, shared)     micro_ticks times, constant inputs
        fwd_b <- aggregate over a of linear_fwd(h_ab)
        bwd_a <- aggregate over b of linear_bwd(h_ab)

    Input projections do not change over the micro ticks, and messages are linear in h. So both are
    computed outside of the loop over (a, b), which changes results by float rounding alone.
    """
    common = dot(shared, weights.shared) + weights.bias
    from_below = dot(below, weights.below)
    from_above = dot(above, weights.above) + common[None, :]
    inputs = from_below[:, None, :] + from_above[None, :, :]

    hidden, cell = layer.hidden, layer.cell
    for _ in range(micro_ticks):
        hidden, cell = lstm_gates(inputs + dot(hidden, weights.recurrent), cell)

    over_inputs, over_outputs = (
        jnp.mean(jnp.sort(hidden, axis=axis) if aggregation == "sorted-mean" else hidden, axis=axis)
        for axis in (0, 1)
    )
    forward = jax.vmap(linear, (None, 0))(weights.forward, over_inputs)
    backward = jax.vmap(linear, (None, 0))(weights.backward, over_outputs)
    if aggregation == "sum":
        # A sum of A messages is A times their mean, bias included.
        forward, backward = forward * hidden.shape[0], backward * hidden.shape[1]
    return Layer(hidden, cell, forward, backward)
