"""What a learned objective asks of a policy, beside hand-made ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from symla.report.drawing import Figure, our_style

COLOURS = ("#d1495b", "#8d9aa8", "#2e86ab")  # lowest, middle, highest third


def draw_objective(explanation: Mapping[str, Any]) -> Figure:
    """From what `ObjectiveExplanation.to_json` returns: a row for each quantity, a column for each
    objective whose curves are there; below, likenesses, inputs, and what fresh agents reach."""
    curves = explanation["curves"]
    objectives = list(dict.fromkeys(curve["of"] for curve in curves))
    quantities = list(dict.fromkeys(curve["by"] for curve in curves))
    columns = max(3, len(objectives))
    with our_style():
        figure = Figure(figsize=(4.0 * columns, 2.8 * (len(quantities) + 1)))
        axes = figure.subplots(len(quantities) + 1, columns, squeeze=False)
        for row, by in enumerate(quantities):
            for column in range(columns):
                if column < len(objectives):
                    of = objectives[column]
                    own = [curve for curve in curves if (curve["of"], curve["by"]) == (of, by)]
                    _draw_curves(axes[row][column], own, of if row == 0 else "")
                else:
                    axes[row][column].axis("off")
        _draw_bars(axes[-1][0], explanation["likeness"], "likeness: cosine of updates")
        _draw_bars(axes[-1][1], explanation["without"], "update that is another without it")
        _draw_bars(axes[-1][2], explanation["taught"], "reward a step, fresh agents")
        for axis in axes[-1][3:]:
            axis.axis("off")
        where = explanation["environment"]
        figure.suptitle(f"{where}. {' '.join(explanation['sentences'])}", fontsize=9, wrap=True)
    return figure


def _draw_curves(axis: Any, curves: list[Mapping[str, Any]], title: str) -> None:
    for curve, colour in zip(curves, COLOURS):
        update = [np.nan if y is None else y for y in curve["update"]]
        label = f"{curve['third']} third of {curve['by']}"
        axis.plot(curve["offset"], update, color=colour, lw=1.8, label=label)
    axis.axhline(0, color="#2b3a55", lw=0.6)
    axis.axvline(0, color="#2b3a55", lw=0.6)
    axis.set(title=title, xlabel="a - pi(s)", ylabel="update of pi(s)")
    axis.legend(fontsize=7)


def _draw_bars(axis: Any, found: Mapping[str, Mapping[str, float]], title: str) -> None:
    names = list(found)
    means, errors = ([found[name][key] for name in names] for key in ("mean", "ci95"))
    axis.barh(np.arange(len(names)), means, 0.6, xerr=errors, color="#2e86ab")
    axis.set_yticks(np.arange(len(names)), names, fontsize=7)
    axis.invert_yaxis()
    axis.axvline(0, color="#2b3a55", lw=0.8)
    axis.set(title=title)
