"""The figures of the paper, from the stored results of `symla reproduce`, and their verdicts."""

from pathlib import Path
from typing import Any

import numpy as np

from symla.report.drawing import Figure, FuncAnimation, colormaps, our_style
from symla.report.names import COLOURS, NAMES
from symla.store import read_json

FALLBACK = "#5c6770"
CROWDED = 12  # lines of a panel
LINES = ("-", "--", ":")
PALETTE = ("#d1495b", "#2e86ab", "#edae49", "#3a7d44", "#8d5a97", "#5c6770", "#c77d2e", "#17324d")


def verdict_table(results: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """One row per claim: what was claimed, what was measured, whether it holds."""
    header = [results["figure"], "measured", "holds"]
    rows = [
        [verdict["claim"], verdict["measured"], "yes" if verdict["holds"] else "NO"]
        for verdict in results["verdicts"]
    ]
    return header, rows


def draw_figure(folder: Path) -> Path:
    """Draw the figure of that results folder. Returns where it is."""
    results = read_json(folder / "results.json")
    path = folder / f"{folder.name}.png"
    with our_style():
        figure = DRAWN[results["kind"]](results)
        figure.suptitle(results["title"], x=0.01, ha="left", fontsize=11)
        figure.savefig(path)
        return path


def draw_recordings(folder: Path) -> list[Path]:
    """A GIF of each recorded lifetime: its first steps beside its last ones."""
    recordings = read_json(folder / "results.json").get("recordings", [])
    paths = [folder / f"lifetime-{i}.gif" for i in range(len(recordings))]
    with our_style():
        for recording, path in zip(recordings, paths):
            _animate(recording, path)
    return paths


def _animate(recording: dict[str, Any], path: Path) -> None:
    """Save a GIF of a lifetime that `recorded_lifetime` of figure6.py recorded."""
    size, parts = (
        recording["size"],
        {"first steps": recording["early"], "last steps": recording["late"]},
    )
    figure = Figure(figsize=(5.2, 3.0))
    axes = figure.subplots(1, 2)
    artists = []
    for axis, title in zip(axes, parts):
        axis.set(
            title=title, xticks=[], yticks=[], xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5)
        )
        axis.spines[:].set_visible(True)
        axis.set_aspect("equal")
        marks = [("o", "#2e86ab", 26), ("$\\heartsuit$", "#d1495b", 22), ("X", "#4a4e54", 18)]
        things = [axis.plot([], [], marker=m, color=c, ms=s)[0] for m, c, s in marks]
        artists.append((axis, things))

    def frame(t: int) -> None:
        for (axis, things), steps in zip(artists, parts.values()):
            *cells, reward = steps[t]
            for thing, cell in zip(things, cells):
                thing.set_data([cell % size], [cell // size])
            earned = sum(step[3] for step in steps[: t + 1])
            axis.set_xlabel(f"step {t + 1}: earned {earned:+.0f}")
            axis.set_facecolor({1.0: "#dff0df", -1.0: "#f6dcdc"}.get(reward, "white"))

    animation = FuncAnimation(figure, frame, frames=len(recording["early"]), interval=400)
    animation.save(path, writer="pillow", dpi=70)


def _matrices(results: dict[str, Any]) -> Figure:
    """Heat maps, trained x tested, two a row; the paper's numbers in brackets.

    Rows of the hand-made algorithms stand apart below.
    """
    matrices = results["matrix"]
    first = next(iter(matrices.values()))
    trained, tested = list(first), list(next(iter(first.values())))
    hand_made = _hand_made(results, tested)
    columns = min(2, len(matrices))
    lines = -(-len(matrices) // columns)
    wide = 1.2 + (len(tested) + 1.4) * columns
    high = lines * (1.4 + 0.62 * (len(trained) + len(hand_made)))
    figure = Figure(figsize=(wide, high))
    axes = figure.subplots(lines, columns, squeeze=False)
    highest = max(c["mean"] for m in matrices.values() for row in m.values() for c in row.values())
    paper = results.get("paper", {})
    for axis, (learner, matrix) in zip(axes.flat, matrices.items()):
        rows = {**matrix, **hand_made}
        means = [[row[column]["mean"] if column in row else np.nan for column in tested]
                 for row in rows.values()]  # fmt: skip
        axis.imshow(means, cmap="YlOrRd", vmin=0, vmax=1.2 * highest, aspect="auto")
        for i, (name, row) in enumerate(rows.items()):
            for j, column in enumerate(tested):
                if column in row:
                    text = f"{row[column]['mean']:.2f}\n±{row[column]['ci95']:.2f}"
                    theirs = paper.get(name, {}).get(column)
                    text += f"\n[{theirs:g}]" if theirs is not None else ""
                    axis.text(j, i, text, ha="center", va="center", fontsize=8)
        axis.axhline(len(matrix) - 0.5, color="white", lw=8)
        axis.set_xticks(range(len(tested)), tested, rotation=30, ha="right")
        axis.set_yticks(range(len(rows)), rows)
        note = ", in brackets the paper" if paper else ""
        axis.set(title=NAMES.get(learner, learner) + note, xlabel="tested on", ylabel="trained on")
        axis.spines[:].set_visible(False)
    return figure


def _hand_made(results: dict[str, Any], tested: list[str]) -> dict[str, dict[str, Any]]:
    """By the name of the algorithm, then by where it was tested."""
    found: dict[str, dict[str, Any]] = {}
    for environment, algorithms in results["references"].items():
        column = environment.removeprefix("bandit-").removeprefix("arms-")
        for name, regret in algorithms.items():
            if name != "random" and column in tested:
                found.setdefault(NAMES[name], {})[column] = regret
    return found


def _curves(results: dict[str, Any]) -> Figure:
    """Reward per step over the lifetime, one panel per task; long lifetimes below; but for lines
    that are only measured.

    Beside the mean over meta-training seeds (thick) each seed has a thin line: an interval of three
    seeds would cover all of them, and the verdicts have it. One rule has a band over lifetimes.
    Where lines are many, means alone are drawn, the first line on top.
    """
    hidden = results.get("not_drawn", [])
    panels = {
        task: {who: line for who, line in lines.items() if who not in hidden}
        for task, lines in results["panels"].items()
    }
    every = [line for lines in panels.values() for line in lines.values()]
    crowded = max(map(len, panels.values())) > CROWDED
    rows = 1 + any(line["length"] > results["length"] for line in every)
    bands = -(-len(panels) // 4)  # of panels, each with its rows
    columns = -(-len(panels) // bands)
    figure = Figure(figsize=(1 + 3.6 * columns, 0.6 + 2.9 * rows * bands + crowded))
    axes = figure.subplots(rows * bands, columns, squeeze=False)
    stacks = [
        axes[rows * band : rows * (band + 1), x] for band in range(bands) for x in range(columns)
    ]
    for column in stacks[len(panels) :]:
        column[0].set_visible(False)
    for column, (task, lines) in zip(stacks, panels.items()):
        for number, (who, line) in enumerate(lines.items()):
            axis = column[1] if line["length"] > results["length"] else column[0]
            if crowded:
                first = {"lw": 2.4, "color": "#d1495b", "zorder": 3}
                other = {"lw": 1.2, "color": colormaps["tab20"](number % 20)}
                axis.plot(_middles(line), line["mean"], label=who, **(other if number else first))
            else:
                _draw_seeds(axis, who, line, *_look(who, lines))
        column[0].set_title(task)
        for axis in column:
            if axis.lines:
                axis.axhline(0.0, color="#d0d4d8", lw=0.8, zorder=0)
                axis.set(xlabel="step of the lifetime")
            else:
                axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel(results.get("measure", "reward a step"))
    shown = [dict(zip(*reversed(axis.get_legend_handles_labels()))) for axis in axes.flat]
    handles = {label: handle for labels in shown for label, handle in labels.items()}
    columns = 4 if crowded else 3
    figure.legend(handles.values(), handles, loc="outside lower center", ncol=columns, fontsize=8)
    return figure


def _middles(line: dict[str, Any]) -> np.ndarray:
    """The step of the lifetime in the middle of each stretch."""
    count = len(line["mean"])
    return (np.arange(count) + 0.5) * line["length"] / count


def _look(who: str, lines: dict[str, Any]) -> tuple[str, str]:
    """Style and colour: a learner has one colour; its first line is solid, the second dashed, the
    third dotted; if it has more of that length, each has a colour of its own."""
    learner, length = who.partition(", ")[0], lines[who]["length"]
    own = [
        other
        for other, line in lines.items()
        if other.partition(", ")[0] == learner and line["length"] == length
    ]
    number = own.index(who)
    if len(own) > len(LINES):
        return "-", PALETTE[number % len(PALETTE)]
    return LINES[number], COLOURS.get(learner, FALLBACK)


def _draw_seeds(axis: Any, who: str, line: dict[str, Any], style: str, colour: str) -> None:
    """The mean, and each seed; one rule has a band over lifetimes."""
    steps, mean, ci95 = _middles(line), np.array(line["mean"]), np.array(line["ci95"])
    axis.plot(steps, mean, ls=style, color=colour, lw=1.8, label=who)
    if len(line["seeds"]) <= 1:
        axis.fill_between(steps, mean - ci95, mean + ci95, color=colour, alpha=0.2, lw=0)
        return
    for seed in line["seeds"]:
        axis.plot(steps, seed, linestyle=style, color=colour, lw=0.6, alpha=0.5)


def _growing(results: dict[str, Any]) -> Figure:
    """Reward a step in stretches that grow, one panel for each environment, four in a row."""
    panels = results["panels"]
    rows = -(-len(panels) // 4)
    figure = Figure(figsize=(15, 1 + 3.0 * rows))
    axes = figure.subplots(rows, 4, squeeze=False)
    for axis, (world, lines) in zip(axes.flat, panels.items()):
        for who, line in lines.items():
            edges, mean, ci95 = (np.array(line[key]) for key in ("edges", "mean", "ci95"))
            steps = np.sqrt(np.maximum(edges[:, 0], 50) * edges[:, 1])
            colour = COLOURS.get(who, FALLBACK)
            axis.plot(steps, mean, color=colour, lw=1.8, label=who)
            axis.fill_between(steps, mean - ci95, mean + ci95, color=colour, alpha=0.15, lw=0)
        axis.set(title=world, xscale="log", xlabel="environment steps")
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("reward a step")
    shown = [dict(zip(*reversed(axis.get_legend_handles_labels()))) for axis in axes.flat]
    handles = {label: handle for labels in shown for label, handle in labels.items()}
    figure.legend(handles.values(), handles, loc="outside lower center", ncol=6, fontsize=8)
    return figure


DRAWN = {"matrix": _matrices, "curves": _curves, "growing": _growing}  # by the kind of results
