"""Performance profiles of rules over several environments, and their interquartile means."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from symla.report.drawing import Figure, our_style
from symla.report.names import COLOURS, NAMES

OTHERS = ("#d1495b", "#00798c", "#8d5a97", "#3d5a80", "#6a994e")


def draw_profiles(
    thresholds: np.ndarray,
    profiles: Mapping[str, tuple[Any, Any, Any]],
    means: Mapping[str, tuple[float, float, float]],
) -> Figure:
    """Of each rule: the part of runs above each threshold, with its band; and its interquartile
    mean. Values, lower and upper ends of 95% intervals."""
    unnamed = [name for name in profiles if name not in COLOURS]
    colours = COLOURS | {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(unnamed)}
    with our_style():
        figure = Figure(figsize=(10, 3.6))
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for name, (value, low, high) in profiles.items():
            left.plot(thresholds, value, color=colours[name], label=NAMES.get(name, name), lw=1.8)
            left.fill_between(thresholds, low, high, color=colours[name], alpha=0.2, lw=0)
        left.set(
            title="performance profiles",
            xlabel="normalised score",
            ylabel="part of runs above it",
            ylim=(0, 1),
        )
        left.legend(fontsize=8)
        for place, (name, (value, low, high)) in enumerate(means.items()):
            right.plot([low, high], [place, place], color=colours[name], lw=7, alpha=0.45)
            right.plot([value], [place], "|", color=colours[name], markersize=16, mew=2.5)
        right.set_yticks(range(len(means)), [NAMES.get(name, name) for name in means])
        right.set(
            title="interquartile mean", xlabel="normalised score", ylim=(len(means) - 0.5, -0.5)
        )
    return figure
