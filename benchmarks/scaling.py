"""The speed of lifetimes over each size: figure and numbers for the documentation.

    python benchmarks/scaling.py [--repeats 3] [--folder docs]

One size varies, the others stay those of CartPole (4 x 2, N 16, 64 candidates, 10 lifetimes, 100
steps). The arithmetic of evolution strategies is left out: it takes seconds to compile at every
size, and little time to run. Writes FOLDER/data/scaling.json and FOLDER/images/scaling.png.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from over_sizes import run

from symla.bench.measure import formulations, lifetimes_timer, measure
from symla.bench.shapes import TABLE, Shape
from symla.report.drawing import Figure, our_style

BASE = TABLE["4x2"]
FORMULATIONS = ("ours", "literal")
COLOURS = {"ours": "#d1495b", "literal": "#2e86ab"}

# Values of one size each. Where there are many steps, other sizes are smaller, which keeps updates
# short; the JSON file has all sizes.
AXES: dict[str, list[tuple[int, Shape]]] = {
    "candidates P": [(n, replace(BASE, population=n)) for n in (32, 64, 256, 1024)],
    "lifetimes E": [(n, replace(BASE, lifetimes=n)) for n in (1, 4, 16, 64)],
    "LSTM units N": [(n, replace(BASE, hidden=n)) for n in (8, 16, 32, 64)],
    "LSTMs A x B": [
        (a * b, Shape(a, b, population=16, lifetimes=4))
        for a, b in ((1, 2), (4, 2), (16, 4), (64, 4), (128, 8))
    ],
    "steps L": [(n, replace(BASE, population=16, length=n)) for n in (100, 500, 1000, 5000)],
}


def row(value: int, shape: Shape, repeats: int) -> dict[str, Any]:
    """Measures the formulations on one shape, in turns."""
    trainings = formulations(shape)
    timers = {name: lifetimes_timer(trainings[name]) for name in FORMULATIONS}
    measure(timers.values(), repeats)
    result: dict[str, Any] = {"value": value, **vars(shape)}
    for name, timer in timers.items():
        rates = [shape.steps / seconds for seconds in timer.timings]
        result[name] = {
            "env_steps_per_second": shape.steps / timer.seconds,
            "spread": [min(rates), max(rates)],
            "memory_bytes": timer.memory,
        }
    print(f"  {value:>6} " + "  ".join(
        f"{name} {result[name]['env_steps_per_second']:.3g}/s" for name in timers
    ), flush=True)  # fmt: skip
    return result


def draw(axes: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """A panel for each size, and one of the memory over the length of a lifetime."""
    with our_style():
        figure = Figure(figsize=(11, 6.2))
        panels = figure.subplots(2, 3)
        for panel, (title, rows) in zip(panels.flat, axes.items()):
            for name in FORMULATIONS:
                values = [r["value"] for r in rows]
                rates = [r[name]["env_steps_per_second"] for r in rows]
                bars = [r[name]["spread"] for r in rows]
                panel.fill_between(values, *zip(*bars), color=COLOURS[name], alpha=0.2, lw=0)
                panel.plot(values, rates, "o-", ms=4, color=COLOURS[name], label=name)
            panel.set(xscale="log", yscale="log", title=title)
            panel.set_xticks(values, values)
            panel.set_xticks([], minor=True)
            panel.set_ylim(3e3, 5e6)  # the same in all panels, to compare them
        panels[0][0].set_ylabel("env-steps/s")
        panels[1][0].set_ylabel("env-steps/s")
        panels[0][0].legend()
        memory = panels.flat[-1]
        for name in FORMULATIONS:
            lengths = [r["value"] for r in axes["steps L"]]
            used = [r[name]["memory_bytes"] / 2**20 for r in axes["steps L"]]
            memory.plot(lengths, used, "o-", ms=4, color=COLOURS[name])
        memory.set(xscale="log", ylim=(0, None), ylabel="MiB", title="memory over steps L")
        memory.set_xticks(lengths, lengths)
        memory.set_xticks([], minor=True)
        figure.savefig(path)


if __name__ == "__main__":
    run("scaling", __doc__, AXES, row, draw)
