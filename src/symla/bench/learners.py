"""`symla bench learners`: steps per second, side by side with others, in turns in one run."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

import jax
from rich.console import Console

from symla.bench.learner_cases import Case, PopulationCase
from symla.bench.learner_peers import peer_rate, peers, rate
from symla.bench.populations import plain_rate, population_rate
from symla.core.errors import raised
from symla.core.streams import Stream
from symla.evaluation.learning_lives import begin, live
from symla.evaluation.learning_test import LearningTest
from symla.lifetimes.resolve import make
from symla.report.terminal import print_table
from symla.rules.loading import hand_made
from symla.runtime.provenance import provenance

OURS, PLAIN = "symla", "plain"


def bench_learners(
    cases: Mapping[str, Case | PopulationCase], repeats: int, console: Console
) -> list[Any]:
    """Measure and print every case. Returns the rows of the JSON file."""
    where = provenance()
    print(f"{where['hardware']}, {len(jax.devices())} devices, jax {where['jax']}")
    rows = []
    for name, case in cases.items():
        ways = of_population(case) if isinstance(case, PopulationCase) else side_by_side(case)
        rates: dict[str, list[float]] = {who: [] for who in ways}
        for _ in range(repeats):  # in turns: whatever else the machine does hits all alike
            for who, way in list(ways.items()):
                try:
                    rates[who].append(way())
                except Exception as error:  # of theirs: whatever it is, the others are measured
                    if who == OURS:
                        raise
                    print(f"{who} cannot do {name} here: {raised(error)}")
                    del ways[who]
        found = {who: median(each) for who, each in rates.items() if each}
        rows.append({"case": name, "steps_per_second": found, "timings": rates, **where})
    print_table(console, *table(rows, cases))
    return rows


def side_by_side(case: Case) -> dict[str, Callable[[], float]]:
    """What gives the steps per second of ours, and of each peer that is installed."""
    ways: dict[str, Callable[[], float]] = {OURS: partial(our_rate, case)}
    if case.peer:
        steps = min(case.steps, 20_480)  # theirs do not get faster in longer runs
        ways |= {
            who: partial(peer_rate, module, case.peer, steps) for who, module in peers().items()
        }
    return ways


def of_population(case: PopulationCase) -> dict[str, Callable[[], float]]:
    """The same as meta-training runs it, and plainly."""
    return {OURS: partial(population_rate, case), PLAIN: partial(plain_rate, case)}


def our_rate(case: Case) -> float:
    """Steps per second of all lifetimes together, updates included, in the second half of them."""
    rule = hand_made(case.algorithm)
    algorithm: Any = rule.algorithm
    test = LearningTest(algorithm, make(case.environment), case.lifetimes, case.steps, 0)
    times = [(0, time.perf_counter())]

    def watch(done: int, *_: Any) -> None:
        times.append((done, time.perf_counter()))

    live(test, rule.params, begin(test, rule.params, 0, Stream.TESTING), 0, watch, 0.25)
    return case.lifetimes * rate(times, case.steps)


def table(
    rows: list[Any], cases: Mapping[str, Case | PopulationCase]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: steps a second, and how many times those of others ours are."""
    others = list(dict.fromkeys(who for row in rows for who in row["steps_per_second"]))[1:]
    header = ["steps/s, updates included", OURS, *others, *(f"x {who}" for who in others)]
    cells = []
    for row in rows:
        found, case = row["steps_per_second"], cases[row["case"]]
        name = f"{row['case']} ({case.algorithm.partition(',')[0]} in {case.environment})"
        times = [f"{found[OURS] / found[who]:.2f}" if who in found else "-" for who in others]
        rates = [f"{found[who]:,.0f}" if who in found else "-" for who in (OURS, *others)]
        cells.append([name, *rates, *times])
    return header, cells
