"""What a rule uses: its loss where a part is replaced, and how past rewards move its policy."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from symla.report.drawing import Figure, our_style

COLOURS = {"zeros": "#2e86ab", "another lifetime": "#d1495b"}
AGES = ("#c77d2e", "#8d5a97")


def draw_explanation(explanation: Mapping[str, Any]) -> Figure:
    """From what `Explanation.to_json` returns: two panels; one, if there is no sensitivity."""
    panels = 2 if explanation["sensitivity"] else 1
    with our_style():
        figure = Figure(figsize=(1.0 + 5.0 * panels, 3.8))
        axes = figure.subplots(1, panels, squeeze=False)[0]
        _draw_ablations(axes[0], explanation)
        if panels == 2:
            _draw_sensitivity(axes[1], explanation["sensitivity"])
        figure.suptitle(" ".join(explanation["sentences"]), fontsize=9, wrap=True)
    return figure


def _draw_ablations(axis: Any, explanation: Mapping[str, Any]) -> None:
    parts = list(explanation["verdicts"])
    for number, (by, colour) in enumerate(COLOURS.items()):
        shares = [each["share"] for each in explanation["ablations"] if each["by"] == by]
        middle = np.arange(len(parts)) + (0.2 if number else -0.2)
        means, errors = ([share[key] for share in shares] for key in ("mean", "ci95"))
        axis.barh(middle, means, 0.36, xerr=errors, color=colour, label=f"replaced by {by}")
    margin = explanation["margin"]
    axis.axvspan(-margin, margin, color="#b4b8bd", alpha=0.3, lw=0, label="no difference")
    axis.axvline(0, color="#2b3a55", lw=0.8)
    axis.set_yticks(np.arange(len(parts)), parts)
    axis.invert_yaxis()
    axis.set(
        title=explanation["environment"],
        xlabel=f"change of the {explanation['measure']} (1: what it earns beyond random play)",
    )
    axis.legend(fontsize=8)


def _draw_sensitivity(axis: Any, sensitivity: Any) -> None:
    for each, colour in zip(sensitivity, AGES):
        lags = np.arange(len(each["by_lag"]))
        axis.plot(lags, each["by_lag"], color=colour, lw=1.8, label=f"at step {each['age']}")
    axis.set(
        title="how a reward moves the policy",
        xlabel="steps ago",
        ylabel="|d logits / d reward|",
        ylim=(0, None),
    )
    axis.legend(fontsize=8)
