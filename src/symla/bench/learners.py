"""`symla bench learners`: steps per second, side by side with others, in turns in one run."""

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import jax
from rich.console import Console

from symla.bench.learner_cases import Case
from symla.bench.learner_peers import peer_rate, peers, rate
from symla.core.streams import Stream
from symla.evaluation.learning_lives import begin, live
from symla.evaluation.learning_test import LearningTest
from symla.lifetimes.resolve import make
from symla.report.terminal import print_table
from symla.rules.loading import hand_made
from symla.runtime.provenance import provenance

OURS = "symla"


def bench_learners(cases: Mapping[str, Case], repeats: int, console: Console) -> list[Any]:
    """Measure and print every case. Returns the rows of the JSON file."""
    where = provenance()
    print(f"{where['hardware']}, {len(jax.devices())} devices, jax {where['jax']}")
    rows = []
    for name, case in cases.items():
        others = peers() if case.peer else {}
        rates: dict[str, list[float]] = {who: [] for who in (OURS, *others)}
        for _ in range(repeats):  # in turns: whatever else the machine does hits all alike
            rates[OURS].append(our_rate(case))
            for who, module in others.items():
                assert case.peer
                steps = min(case.steps, 20_480)  # theirs do not get faster in longer runs
                rates[who].append(peer_rate(module, case.peer, steps))
        found = {who: median(each) for who, each in rates.items()}
        rows.append({"case": name, "steps_per_second": found, "timings": rates, **where})
    print_table(console, *table(rows, cases))
    return rows


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


def table(rows: list[Any], cases: Mapping[str, Case]) -> tuple[list[str], list[list[str]]]:
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
