"""What benchmarks that vary one size at a time share: options, measuring, where results go."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

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
