"""What a kernel computes: one update of one layer of SymLA, all its LSTMs and both its messages.

The data lives here, because every form of the update (plain, fused) shares it.
"""

from typing import Literal, NamedTuple

from jaxtyping import Array, Float

from symla.core.networks import Linear

Aggregation = Literal["mean", "sum"]


class Weights(NamedTuple):
    """SymLA's meta-parameters: the one LSTM and the two messengers that every weight (a, b) shares.

    `below`, `above` and `shared` are the rows of the LSTM's input matrix, split by where the input
    comes from, so that each part is projected once (A + B + 1 projections) instead of A x B times.
    """

    below: Float[Array, "I G"]  # acts on [message from below, observation]
    above: Float[Array, "I G"]  # acts on [message from above, previous action]
    shared: Float[Array, "2 G"]  # acts on [reward, done]
    recurrent: Float[Array, "N G"]
    bias: Float[Array, " G"]
    forward: Linear  # N -> M, the messages to the layer above
    backward: Linear  # N -> M, the messages to the layer below


class Layer(NamedTuple):
    """The state of one A x B layer: an LSTM a weight, and the messages it last sent."""

    hidden: Float[Array, "A B N"]
    cell: Float[Array, "A B N"]
    forward: Float[Array, "B M"]
    backward: Float[Array, "A M"]
