"""`symla bench`: measures one shape after the other; prints tables and returns rows for JSON."""

import os
from collections.abc import Sequence
from typing import Any

import jax
from rich.console import Console

from symla.algorithms.symla.layer_update import kernel_report
from symla.bench import operations
from symla.bench.measure import (
    FACTORED,
    LITERAL,
    OURS,
    SHARDED,
    PeakFlops,
    Timer,
    formulations,
    measure,
    single_program_timer,
    updates_timer,
)
from symla.bench.parts import split, without_parts
from symla.bench.shapes import Shape
from symla.report.terminal import print_table
from symla.runtime.provenance import provenance

Row = dict[str, Any]  # one formulation of one shape

HEADER = (
    *("formulation", "env-steps/s", "slowest .. fastest", "LSTM ticks/s", "GFLOP/s"),
    *("of peak", "x literal", "x sharded", "compiling"),
)


def bench(shapes: Sequence[Shape], repeats: int, console: Console) -> list[Row]:
    """Measure and print every shape. Returns the rows of the JSON file."""
    where = provenance()
    print(f"{where['hardware']}, {len(jax.devices())} devices, jax {where['jax']}, {_load()}")
    print(f"revision {where['revision']}")
    rows, peak = [], PeakFlops()
    for shape in shapes:
        timers = formulation_timers(shape)
        without = without_parts(shape, timers[OURS].training)
        measure([peak, *timers.values(), *without.values()], repeats)
        shape_rows = [row(shape, name, timers, peak.flops) for name in timers]
        shape_rows[0]["seconds_of_parts"] = split(timers[OURS], without)
        show(shape, shape_rows, peak.flops, console)
        rows += [{**r, **where} for r in shape_rows]
    return rows


def formulation_timers(shape: Shape) -> dict[str, Timer]:
    """By name. The literal formulation twice: as one program, and sharded over devices as ours."""
    trainings = formulations(shape)
    return {
        OURS: updates_timer(trainings[OURS]),
        FACTORED: updates_timer(trainings[FACTORED], "plain"),
        LITERAL: single_program_timer(trainings[LITERAL]),
        SHARDED: updates_timer(trainings[LITERAL], "plain"),
    }


def row(shape: Shape, name: str, timers: dict[str, Timer], peak: float) -> Row:
    """One formulation of one shape. `peak` is in floating-point operations per second."""
    timer = timers[name]
    fused = name == OURS and kernel_report()["backend"] == "fused"
    literal = name in (LITERAL, SHARDED)
    count = operations.literal if literal else operations.factored
    rate = shape.steps / timer.seconds
    flops = rate * count(shape)
    return {
        "shape": shape.name,
        "hidden": shape.hidden,
        "population": shape.population,
        "lifetimes": shape.lifetimes,
        "length": shape.length,
        "formulation": LITERAL if literal else name,
        "sharded": name != LITERAL,
        "backend": "fused" if fused else "plain",
        "env_steps_per_second": rate,
        "seconds_per_update": timer.seconds,
        "share_of_peak": flops / peak,
        "spread": [shape.steps / max(timer.timings), shape.steps / min(timer.timings)],
        "lstm_ticks_per_second": rate * operations.lstm_ticks(shape),
        "flops_per_second": flops,
        "peak_flops_per_second": peak,
        "ratio_to_literal": timers[LITERAL].seconds / timer.seconds,
        "ratio_to_sharded_literal": timers[SHARDED].seconds / timer.seconds,
        "compile_seconds": timer.compile_seconds,
        "repeats": len(timer.timings),
        "devices": len(jax.devices()),
    }


def show(shape: Shape, rows: Sequence[Row], peak: float, console: Console) -> None:
    """Print the table of one shape, and the time of each part of our update."""
    print(
        f"\n{shape.name}: N {shape.hidden}, population {shape.population}, lifetimes "
        f"{shape.lifetimes}, length {shape.length}; peak {peak / 1e9:.0f} GFLOP/s"
    )
    print_table(console, HEADER, [_cells(r) for r in rows])
    total = rows[0]["seconds_per_update"]
    parts = rows[0]["seconds_of_parts"]
    shares = ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in parts.items())
    print(f"an update of ours, {1000 * total:.1f} ms: {shares}")


def _cells(row: Row) -> list[str]:
    slowest, fastest = row["spread"]
    return [
        f"{row['formulation']} ({row['backend']}{'' if row['sharded'] else ', one program'})",
        f"{row['env_steps_per_second']:.3g}",
        f"{slowest:.3g} .. {fastest:.3g}",
        f"{row['lstm_ticks_per_second']:.3g}",
        f"{row['flops_per_second'] / 1e9:.1f}",
        f"{row['share_of_peak']:.1%}",
        f"{row['ratio_to_literal']:.2f}",
        f"{row['ratio_to_sharded_literal']:.2f}",
        f"{row['compile_seconds']:.1f} s",
    ]


def _load() -> str:
    """The system's load average: other processes slow down what is measured."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
