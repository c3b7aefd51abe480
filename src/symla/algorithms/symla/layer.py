"""The arrays of SymLA's layer update, which its implementations (plain, fused) share."""

from typing import Literal, NamedTuple

from jaxtyping import Array, Float

from symla.core.networks import Linear

# "sorted-mean" adds in order of size: the mean does not depend, to the bit, on the order of inputs.
Aggregation = Literal["mean", "sum", "sorted-mean"]
"""How the messages to one neuron are combined."""


class Weights(NamedTuple):
    """SymLA's meta-parameters: an LSTM and two linear message maps, shared by all weights (a, b).

    `below`, `above` and `shared` are the rows of the LSTM's input matrix, split by the source of
    the input, so that each input is projected once: A + B + 1 projections instead of A x B.
    """

    below: Float[Array, "I G"]  # acts on [message from below, observation]
    above: Float[Array, "I G"]  # acts on [message from above, previous action]
    shared: Float[Array, "2 G"]  # acts on [reward, done]
    recurrent: Float[Array, "N G"]
    bias: Float[Array, " G"]
    forward: Linear  # N -> M, the messages to the layer above
    backward: Linear  # N -> M, the messages to the layer below


class Layer(NamedTuple):
    """The state of one A x B layer: an LSTM per weight, and the layer's last messages."""

    hidden: Float[Array, "A B N"]
    cell: Float[Array, "A B N"]
    forward: Float[Array, "B M"]
    backward: Float[Array, "A M"]
