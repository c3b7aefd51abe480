"""Figures of a run, drawn again at any time from its folder alone."""

from pathlib import Path
from typing import Any

import numpy as np

from symla.report.curves import environment_names, turns_of
from symla.report.drawing import Figure, below, our_style
from symla.report.figure_files import save
from symla.report.lifetime_figures import draw_lifetimes
from symla.report.long_test_figures import draw_test
from symla.report.names import COLOURS, NAMES, environment_name
from symla.store import TEST, RunFolder

CANDIDATES = ("#b4b8bd", "#7fa8c9", "#c9a67f", "#8fbf9a", "#b79ac0")  # an environment each, pale


def draw(run: RunFolder) -> list[Path]:
    """Draw every figure that the run's results allow. Returns where they are."""
    run.figures.mkdir(exist_ok=True)
    if run.config()["experiment"] == TEST:
        return [save(draw_test(run), run.figures / "test.png")]
    if not run.results_path.exists():
        with our_style():
            return [save(draw_training(run), run.figures / "training.png")]
    results = run.results()
    with our_style():
        if "tests" in results:
            return [
                save(draw_lifetimes(results["tests"]), run.figures / "lifetime.png"),
                save(draw_training(run), run.figures / "training.png"),
            ]
        return [
            _regret_over_lifetime(results, run.figures / "regret.png"),
            _regret_over_training(results, run.metrics(), run.figures / "training.png"),
        ]


def _regret_over_lifetime(results: dict[str, Any], path: Path) -> Path:
    """Cumulative regret of the learned rule against the references, one panel per environment."""
    panels = results["cumulative_regret"]
    figure = Figure(figsize=(4.2 * len(panels), 3.6))
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=True)
    for axis, (environment, curves) in zip(axes[0], panels.items()):
        for who, curve in curves.items():
            mean, ci95 = np.array(curve["mean"]), np.array(curve["ci95"])
            steps = np.array(curve.get("step", range(1, mean.size + 1)))
            learned = who == results["algorithm"]
            label, colour = NAMES[who], COLOURS[who]
            axis.plot(steps, mean, color=colour, label=label, lw=2.6 if learned else 1.5)
            axis.fill_between(steps, mean - ci95, mean + ci95, color=colour, alpha=0.2, lw=0)
        seen = "trained" if environment == results["trained_on"] else "never seen"
        axis.set(title=f"{environment_name(environment)} ({seen})", xlabel="pull", ylim=(0, None))
        # Random play is a straight line far above: show where the learners are.
        others = [c["mean"][-1] for who, c in curves.items() if who != "random"]
        axis.set_ylim(0, 1.3 * max(others))
    axes[0][0].set_ylabel("expected cumulative regret")
    axes[0][0].legend(loc="upper left", fontsize=8)
    figure.savefig(path)
    return path


def draw_training(run: RunFolder) -> Figure:
    """Mean return of the candidates of each generation, a line for each environment; and of the
    rule where it was probed, on an axis of its own where generations are stretches of lives, whose
    returns are of fewer steps than a probe's."""
    metrics, settings = run.metrics(), run.config()["settings"]
    names = environment_names(settings.get("environments"))
    figure = Figure(figsize=(6, 3.6))
    axis = figure.subplots()
    axis.set(title="meta-training", xlabel="generation", ylabel="return of a lifetime")
    turns = turns_of(metrics, settings)
    for number in range(turns):
        rows = [row for row in metrics if (row["generation"] - 1) % turns == number]
        generation, mean = ([row[x] for row in rows] for x in ("generation", "return_mean"))
        label = f"candidates in {names[number]}" if turns > 1 else "candidates"
        colour = CANDIDATES[number % len(CANDIDATES)]
        axis.plot(generation, mean, color=colour, lw=1.0, label=label)
    lines: list[Any] = [*axis.get_lines()]
    probed = [row for row in metrics if "return" in row]
    if probed:
        outer = settings.get("outer", {})
        stretches = outer.get("lifetime") or outer.get("class") == "through-critic"
        other = axis.twinx() if stretches else axis
        if stretches:
            axis.set(ylabel=f"candidates: return of {settings['length']} steps")
            other.set(ylabel="the rule: return of a lifetime")
            other.spines["right"].set_visible(True)
        chosen = environment_names(settings.get("probes"))
        at, reached, ci95 = (
            [row[x] for row in probed] for x in ("generation", "return", "return_ci95")
        )
        bars = other.errorbar(at, reached, ci95, color=COLOURS["symla"], lw=2)
        where = f" in {(chosen or names)[0]}" if chosen or len(names) > 1 else ""
        bars.set_label(f"the rule, probed{where}")
        lines = [*lines, bars]
    below(figure, lines)
    return figure


def _regret_over_training(
    results: dict[str, Any], metrics: list[dict[str, Any]], path: Path
) -> Path:
    """Regret of the rule over the generations of its meta-training, beside the references."""
    probed = [row for row in metrics if "regret" in row]
    generation, mean, ci95 = (
        np.array([row[column] for row in probed])
        for column in ("generation", "regret", "regret_ci95")
    )
    who, environment = results["algorithm"], results["trained_on"]
    figure = Figure(figsize=(6, 3.6))
    axis = figure.subplots()
    axis.plot(generation, mean, color=COLOURS[who], lw=2.6, label=NAMES[who])
    axis.fill_between(generation, mean - ci95, mean + ci95, color=COLOURS[who], alpha=0.2, lw=0)
    for other, regret in results["regret"][environment].items():
        if other != who:
            axis.axhline(regret["mean"], color=COLOURS[other], lw=1.5, label=NAMES[other])
    axis.set(
        title=f"meta-training on {environment_name(environment)}",
        xlabel="generation",
        ylabel=f"regret over {results['length']} pulls",
        ylim=(0, None),
    )
    below(figure, axis.get_legend_handles_labels()[0])
    figure.savefig(path)
    return path
