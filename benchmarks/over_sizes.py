"""What benchmarks that vary one size at a time share: options, measuring, where results go."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symla.report.drawing import Figure, our_style
from symla.runtime.machine import MachineOptions, prepare_jax
from symla.runtime.provenance import provenance
from symla.store import write_json

Axes = dict[str, list[dict[str, Any]]]


def run(
    name: str,
    about: str,
    cases: Mapping[str, Sequence[tuple[int, Any]]],
    row: Callable[[int, Any, int], dict[str, Any]],
    draw: Callable[[Axes, Path], None],
    devices: int | None = None,
) -> None:
    """Measure `row(value, sizes, repeats)` of all cases and draw them, as the command line says.

    Writes FOLDER/data/NAME.json and FOLDER/images/NAME.png.
    """
    parser = argparse.ArgumentParser(description=about.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[1] / "docs")
    options = parser.parse_args()
    prepare_jax(MachineOptions(devices))
    where = {**provenance(), "load": os.getloadavg()[0], "repeats": options.repeats}
    axes: Axes = {}
    for title, each in cases.items():
        print(title, flush=True)
        axes[title] = [row(value, sizes, options.repeats) for value, sizes in each]
    for folder in ("data", "images"):
        (options.folder / folder).mkdir(parents=True, exist_ok=True)
    write_json(options.folder / "data" / f"{name}.json", {**where, "axes": axes})
    draw(axes, options.folder / "images" / f"{name}.png")


def seconds_row(value: int, sizes: Any, seconds: Sequence[float]) -> dict[str, Any]:
    """What was timed there: the median, and all of it."""
    median = float(np.median(seconds))
    print(f"  {value:>6} {median * 1e6:8.0f} us", flush=True)
    return {"value": value, **vars(sizes), "seconds": median, "all": list(seconds)}


def draw_seconds(label: str, axes: Axes, path: Path) -> None:
    """Of such rows, a panel for each size."""
    with our_style():
        figure = Figure(figsize=(11, 3.2))
        for panel, (title, rows) in zip(figure.subplots(1, len(axes), sharey=True), axes.items()):
            values = [r["value"] for r in rows]
            low, high = zip(*((min(r["all"]) * 1e3, max(r["all"]) * 1e3) for r in rows))
            panel.fill_between(values, low, high, color="#d1495b", alpha=0.2, lw=0)
            panel.plot(values, [r["seconds"] * 1e3 for r in rows], "o-", ms=4, color="#d1495b")
            panel.set(xscale="log", yscale="log", title=title)
            panel.set_xticks(values, values)
            panel.set_xticks([], minor=True)
            panel.yaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_minor_formatter("{x:g}")
        figure.axes[0].set_ylabel(label)
        figure.savefig(path)
