"""The layer update in plain JAX: the reference every other form is tested against."""

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
    """Eqs. 6 to 9: tick every LSTM of the layer, then recompute its messages.

        h_ab  <- LSTM(h_ab, below_a, above_b, shared)     micro_ticks times, inputs held fixed
        fwd_b <- aggregate over a of linear_fwd(h_ab)
        bwd_a <- aggregate over b of linear_bwd(h_ab)

    The input projections do not change over the micro ticks, and the messengers are linear: both
    are factored out of the loop over (a, b), which changes nothing but float rounding.
    """
    common = dot(shared, weights.shared) + weights.bias
    from_below = dot(below, weights.below)
    from_above = dot(above, weights.above) + common[None, :]
    inputs = from_below[:, None, :] + from_above[None, :, :]

    hidden, cell = layer.hidden, layer.cell
    for _ in range(micro_ticks):
        hidden, cell = lstm_gates(inputs + dot(hidden, weights.recurrent), cell)

    forward = jax.vmap(linear, (None, 0))(weights.forward, jnp.mean(hidden, axis=0))
    backward = jax.vmap(linear, (None, 0))(weights.backward, jnp.mean(hidden, axis=1))
    if aggregation == "sum":
        # A sum of A messages is A times their mean, bias included.
        forward, backward = forward * hidden.shape[0], backward * hidden.shape[1]
    return Layer(hidden, cell, forward, backward)
