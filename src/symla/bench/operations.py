"""What one environment step costs in floating-point operations, as each formulation executes it.

A multiply-add counts two, a tanh or sigmoid one. So these are lower bounds: a tanh is about
twenty additions and products in a processor without an instruction for it.
"""

from symla.bench.shapes import Shape

MESSAGE, TICKS = 8, 2  # M and the micro ticks, the defaults of both learning algorithms

CELL = 9  # an LSTM unit after its gates' sums: 5 functions, c' = f c + i g, h' = o tanh(c')


def lstm_ticks(shape: Shape) -> int:
    """In one environment step."""
    return shape.observations * shape.actions * TICKS


def literal(shape: Shape) -> int:
    """Every weight projects its own concatenated inputs each tick, and sends its own messages."""
    N, inputs = shape.hidden, 2 * (MESSAGE + 1) + 2
    tick = 2 * (inputs + N) * 4 * N + 2 * 4 * N + CELL * N
    messages = 2 * (2 * N * MESSAGE + MESSAGE) + 2 * MESSAGE
    return shape.observations * shape.actions * (TICKS * tick + messages)


def factored(shape: Shape) -> int:
    """Inputs are projected once a neuron and step; states are averaged before they are sent."""
    A, B, N = shape.observations, shape.actions, shape.hidden
    projections = (A + B) * 2 * (MESSAGE + 1) * 4 * N + 2 * 2 * 4 * N + B * 4 * N
    tick = 2 * N * 4 * N + 4 * N + CELL * N
    messages = (A + B) * (2 * N * MESSAGE + MESSAGE)
    return projections + A * B * (TICKS * tick + 4 * N + 2 * N) + messages
