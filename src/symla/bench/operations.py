"""Floating-point operations of one environment step, as each formulation executes it.

A multiply-add counts as two, a tanh or sigmoid as one. So these are lower bounds: a tanh takes
about twenty additions and products on a processor without an instruction for it.
"""

from symla.bench.shapes import Shape

MESSAGE, TICKS = 8, 2  # M and the micro ticks, the defaults of both learning algorithms

CELL = 9  # operations of an LSTM unit after its gates' sums: 5 functions, f c + i g, o tanh(c')


def lstm_ticks(shape: Shape) -> int:
    """LSTM updates in one environment step."""
    return shape.observations * shape.actions * TICKS


def literal(shape: Shape) -> int:
    """Operations where every weight projects its own inputs each tick and computes its messages."""
    N, inputs = shape.hidden, 2 * (MESSAGE + 1) + 2
    tick = 2 * (inputs + N) * 4 * N + 2 * 4 * N + CELL * N
    messages = 2 * (2 * N * MESSAGE + MESSAGE) + 2 * MESSAGE
    return shape.observations * shape.actions * (TICKS * tick + messages)


def factored(shape: Shape) -> int:
    """Operations where each input is projected once a step, and messages are of averaged states."""
    A, B, N = shape.observations, shape.actions, shape.hidden
    projections = (A + B) * 2 * (MESSAGE + 1) * 4 * N + 2 * 2 * 4 * N + B * 4 * N
    tick = 2 * N * 4 * N + 4 * N + CELL * N
    messages = (A + B) * (2 * N * MESSAGE + MESSAGE)
    return projections + A * B * (TICKS * tick + 4 * N + 2 * N) + messages
