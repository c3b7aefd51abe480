"""Runs laid over one another: a line for each group of seeds, thin ones for its seeds."""

from collections.abc import Sequence

from symla.report.curves import MEASURES, RunGroup
from symla.report.drawing import Figure, below, our_style

COLOURS = ("#d1495b", "#2e86ab", "#c77d2e", "#3a7d44", "#8d5a97", "#5b5f68")
STYLES = ("-", "--", ":", "-.")


def draw_overlay(measure: str, groups: Sequence[RunGroup]) -> Figure:
    """The mean over seeds with its 95% interval; one seed has a line alone."""
    with our_style():
        figure = Figure(figsize=(7, 4))
        axis = figure.subplots()
        for number, group in enumerate(groups):
            colour = COLOURS[number % len(COLOURS)]
            style = STYLES[number // len(COLOURS) % len(STYLES)]
            at, mean, ci95 = group.over_seeds()
            seeds = len(group.curves)
            label = f"{group.name}, {seeds} seeds" if seeds > 1 else group.name
            marker = "o" if at.size == 1 else ""
            axis.plot(at, mean, style, color=colour, lw=2.2, label=label, marker=marker)
            if ci95 is not None:
                axis.fill_between(at, mean - ci95, mean + ci95, color=colour, alpha=0.18, lw=0)
                for curve in group.curves:
                    axis.plot(curve.at, curve.values, color=colour, lw=0.7, alpha=0.5)
        where = "step of the lifetime" if "_return" in measure else "generation"
        of_training = measure == "return_mean"
        axis.set(xlabel="generation" if of_training else where, ylabel=MEASURES[measure])
        below(figure, axis.get_legend_handles_labels()[0])
    return figure
