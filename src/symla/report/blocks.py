"""A curve as a line of block characters; `core.output` replaces them where they cannot be shown."""

from collections.abc import Sequence

import numpy as np

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 16  # characters of a line, at most


def shrink(means: Sequence[float], steps: Sequence[int]) -> list[float]:
    """At most WIDTH means over stretches, from more of them; `steps` are the last steps of each."""
    edges = np.array([0, *steps])
    sums = np.array([0.0, *np.cumsum(np.asarray(means, float) * np.diff(edges))])
    width = min(WIDTH, len(means))
    chosen = np.arange(width + 1) * len(means) // width
    return (np.diff(sums[chosen]) / np.diff(edges[chosen])).tolist()


def line(values: Sequence[float], low: float, high: float) -> str:
    """One character for each value, the lowest for `low`, the highest for `high`."""
    size = len(BLOCKS)
    part = (np.asarray(values) - low) / (high - low) if high > low else np.zeros(len(values))
    return "".join(BLOCKS[min(max(int(x * size), 0), size - 1)] for x in part)
