"""What a step of SymLA costs over each size, forward and with its gradient: figure and numbers.

    taskset -c 0 python benchmarks/symla_costs.py [--repeats 3] [--folder docs]

The paper's appendix: O(N^2 W) a step for W = A x B LSTMs of N units, K ticks each, and memory that
is flat in time. One size varies, the others are A x B = 9 x 4, N = 16, K = 2, L = 64, on one core,
64 lifetimes at once. Forward are lifetimes alone; the gradient is a whole generation of the policy
gradient, through all of a lifetime. Writes FOLDER/data/symla_costs.json and
FOLDER/images/symla_costs.png.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from over_sizes import run

from symla.algorithms import SymLA
from symla.bench.measure import Timer, lifetimes_timer, measure, updates_timer
from symla.bench.workloads import SyntheticEnvironment
from symla.outer import EvolutionStrategies, PolicyGradient
from symla.report.drawing import Figure, our_style
from symla.training.generation import Training

LIFETIMES = 64
CANDIDATES = 8  # that share them
COLOURS = {"forward": "#d1495b", "gradient": "#2e86ab"}


@dataclass(frozen=True)
class Sizes:
    """Of what is timed."""

    observations: int = 9
    actions: int = 4
    hidden: int = 16
    ticks: int = 2
    length: int = 64


BASE = Sizes()
AXES: dict[str, list[tuple[int, Sizes]]] = {
    "units N": [(n, replace(BASE, hidden=n)) for n in (8, 16, 32, 64)],
    "LSTMs W = A x B": [
        (a * b, replace(BASE, observations=a, actions=b)) for a, b in ((4, 2), (9, 4), (36, 4))
    ],
    "ticks K": [(n, replace(BASE, ticks=n)) for n in (1, 2, 4)],
    "steps L": [(n, replace(BASE, length=n)) for n in (16, 64, 256)],
}


def timers(sizes: Sizes) -> dict[str, Timer]:
    """Of lifetimes alone, and of a generation that has their gradient."""
    algorithm = SymLA(hidden_size=sizes.hidden, micro_ticks=sizes.ticks)
    world = SyntheticEnvironment(sizes.observations, sizes.actions)
    each = LIFETIMES // CANDIDATES
    outers = EvolutionStrategies(CANDIDATES), PolicyGradient(CANDIDATES)
    forward, gradient = (
        Training(algorithm, (world,), outer, each, sizes.length, seed=0) for outer in outers
    )
    return {"forward": lifetimes_timer(forward), "gradient": updates_timer(gradient)}


def row(value: int, sizes: Sizes, repeats: int) -> dict[str, Any]:
    """Microseconds a step of a lifetime: the median, the least and the most; bytes of memory."""
    found = timers(sizes)
    measure(found.values(), repeats)
    result: dict[str, Any] = {"value": value, **vars(sizes)}
    for name, timer in found.items():
        steps = LIFETIMES * sizes.length
        micros = [1e6 * seconds / steps for seconds in (timer.seconds, *timer.timings)]
        result[name] = {
            "microseconds_a_step": micros[0],
            "spread": [min(micros), max(micros)],
            "memory_bytes": timer.memory,
        }
    print(f"  {value:>4} " + "  ".join(
        f"{name} {result[name]['microseconds_a_step']:.2f} us, "
        f"{result[name]['memory_bytes'] / 2**20:.1f} MiB" for name in found
    ), flush=True)  # fmt: skip
    return result


def draw(axes: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Time above, memory below, a column for each size."""
    with our_style():
        figure = Figure(figsize=(11, 5.4))
        panels = figure.subplots(2, len(axes), sharex="col", sharey="row")
        for (upper, lower), (title, rows) in zip(panels.T, axes.items()):
            values = [r["value"] for r in rows]
            for name, colour in COLOURS.items():
                times = [r[name]["microseconds_a_step"] for r in rows]
                low, high = zip(*(r[name]["spread"] for r in rows))
                upper.fill_between(values, low, high, color=colour, alpha=0.2, lw=0)
                upper.plot(values, times, "o-", ms=4, color=colour, label=name)
                memory = [r[name]["memory_bytes"] / 2**20 for r in rows]
                lower.plot(values, memory, "o-", ms=4, color=colour)
            upper.set(xscale="log", yscale="log", title=title)
            lower.set(yscale="log")
            lower.set_xticks(values, values)
            lower.set_xticks([], minor=True)
        panels[0, 0].set_ylabel("us a step")
        panels[1, 0].set_ylabel("MiB")
        panels[0, 0].legend()
        figure.savefig(path)


if __name__ == "__main__":
    run("symla_costs", __doc__, AXES, row, draw, devices=1)
