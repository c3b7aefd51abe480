"""`symla bench`: all shapes one after the other, as tables and as JSON."""

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
    Peak,
    Stopwatch,
    formulations,
    measure,
    one_program,
    updates,
)
from symla.bench.parts import split, without_parts
from symla.bench.shapes import Shape
from symla.report.terminal import print_table
from symla.runtime.provenance import provenance

Row = dict[str, Any]

HEADER = (
    *("formulation", "env-steps/s", "slowest .. fastest", "LSTM ticks/s", "GFLOP/s"),
    *("of peak", "x literal", "x sharded", "compiling"),
)


def bench(shapes: Sequence[Shape], repeats: int, console: Console) -> list[Row]:
    """Measure and show every shape; the rows of the JSON file."""
    where = provenance()
    print(f"{where['hardware']}, {len(jax.devices())} devices, jax {where['jax']}, {_load()}")
    print(f"revision {where['revision']}")
    rows, peak = [], Peak()
    for shape in shapes:
        watches = stopwatches(shape)
        without = without_parts(shape, watches[OURS].training)
        measure([peak, *watches.values(), *without.values()], repeats)
        own = [row(shape, name, watches, peak.flops) for name in watches]
        own[0]["seconds_of_parts"] = split(watches[OURS], without)
        show(shape, own, peak.flops, console)
        rows += [{**r, **where} for r in own]
    return rows


def stopwatches(shape: Shape) -> dict[str, Stopwatch]:
    """The literal formulation twice: `vmap` and `jit` alone, and spread over devices as ours is."""
    trainings = formulations(shape)
    return {
        OURS: updates(trainings[OURS]),
        FACTORED: updates(trainings[FACTORED], "plain"),
        LITERAL: one_program(trainings[LITERAL]),
        SHARDED: updates(trainings[LITERAL], "plain"),
    }


def row(shape: Shape, name: str, watches: dict[str, Stopwatch], highest: float) -> Row:
    """One formulation of one shape. Rates are per second, sizes as in `Shape`."""
    watch = watches[name]
    fused = name == OURS and kernel_report()["backend"] == "fused"
    literal = name in (LITERAL, SHARDED)
    count = operations.literal if literal else operations.factored
    rate = shape.steps / watch.seconds
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
        "seconds_per_update": watch.seconds,
        "share_of_peak": flops / highest,
        "spread": [shape.steps / max(watch.timings), shape.steps / min(watch.timings)],
        "lstm_ticks_per_second": rate * operations.lstm_ticks(shape),
        "flops_per_second": flops,
        "peak_flops_per_second": highest,
        "ratio_to_literal": watches[LITERAL].seconds / watch.seconds,
        "ratio_to_sharded_literal": watches[SHARDED].seconds / watch.seconds,
        "compile_seconds": watch.compile_seconds,
        "repeats": len(watch.timings),
        "devices": len(jax.devices()),
    }


def show(shape: Shape, rows: Sequence[Row], highest: float, console: Console) -> None:
    """The table of one shape, and where the time of ours goes."""
    print(
        f"\n{shape.name}: N {shape.hidden}, population {shape.population}, lifetimes "
        f"{shape.lifetimes}, length {shape.length}; peak {highest / 1e9:.0f} GFLOP/s"
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
    """How busy the machine is besides: others slow down what is measured."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
