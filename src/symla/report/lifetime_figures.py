"""Reward a step over the lifetime, from the results of tests: one panel for each environment."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from symla.report.drawing import Figure, our_style
from symla.report.names import COLOURS, NAMES

OTHERS = ("#d1495b", "#00798c", "#8d5a97", "#3d5a80", "#6a994e")  # of any other name

Result = Mapping[str, Any]  # what `Evaluation.to_json` returns


def draw_lifetimes(panels: Mapping[str, Mapping[str, Result]]) -> Figure:
    """Of each panel's results, by name: the mean of each stretch, with its 95% interval as a band.

    A name has one colour in all panels.
    """
    names = dict.fromkeys(name for results in panels.values() for name in results)
    others = [name for name in names if name not in COLOURS]
    colours = COLOURS | {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(others)}
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    with our_style():
        figure = Figure(figsize=(1.4 + 4.0 * columns, 3.4 * rows))
        axes = figure.subplots(rows, columns, squeeze=False).flat
        for (title, results), axis in zip(panels.items(), axes):
            axis.set(title=title, xlabel="step of the lifetime", ylabel="reward a step")
            for name, result in results.items():
                _draw_line(axis, NAMES.get(name, name), colours[name], result)
            axis.legend(fontsize=8)
        for axis in axes:  # what the last row has too many
            axis.set_visible(False)
    return figure


def _draw_line(axis: Any, label: str, colour: str, result: Result) -> None:
    edges = np.array([0, *result["steps"]])
    middle = (edges[1:] + edges[:-1] + 1) / 2  # of each stretch; the step itself where it is one
    keys = "reward_per_step", "reward_per_step_ci95"  # no interval of a single lifetime: None
    mean, ci95 = (np.array(result[key], np.float64) for key in keys)
    marker = "o" if mean.size == 1 else ""
    axis.plot(middle, mean, color=colour, lw=1.8, label=label, marker=marker)
    axis.fill_between(middle, mean - ci95, mean + ci95, color=colour, alpha=0.2, lw=0)
