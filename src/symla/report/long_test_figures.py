"""Of `symla test --run-dir`, what learns by gradient: returns over its lifetime."""

from typing import Any

import numpy as np

from symla.report.drawing import Figure, our_style
from symla.report.names import COLOURS
from symla.store import RunFolder

LINES = {  # columns of the metrics
    "training_return": ("exploring, as it learns", COLOURS["random"]),
    "evaluation_return": ("without exploring", COLOURS["symla"]),
}


def draw_test(run: RunFolder) -> Figure:
    """Mean returns of episodes over lifetimes: of training and of evaluation, so far or at the end;
    of evaluation with its 95% interval once the test is finished."""
    settings, rows = run.config()["settings"], run.metrics()
    with our_style():
        figure = Figure(figsize=(6, 3.6))
        axis = figure.subplots()
        for column, (label, colour) in LINES.items():
            found = [row for row in rows if column in row]
            at, values = ([row[name] for row in found] for name in ("generation", column))
            marker = "o" if len(found) == 1 else ""
            axis.plot(at, values, color=colour, lw=1.8, label=label, marker=marker)
        if run.results_path.exists():
            _draw_interval(axis, run.results().get("episodes") or {})
        axis.set(
            title=f"{settings.get('algorithm')} on {settings.get('environment')}",
            xlabel="step of the lifetime",
            ylabel="return of an episode",
        )
        axis.legend(fontsize=8)
    return figure


def _draw_interval(axis: Any, episodes: dict[str, Any]) -> None:
    at, found = episodes.get("evaluated_at", []), episodes.get("evaluation", [])
    known = [(x, y) for x, y in zip(at, found) if y["ci95"] is not None]
    if not known:
        return
    steps = [x for x, _ in known]
    mean, ci95 = (np.array([y[key] for _, y in known]) for key in ("mean", "ci95"))
    colour = LINES["evaluation_return"][1]
    axis.fill_between(steps, mean - ci95, mean + ci95, color=colour, alpha=0.2, lw=0)
