"""Statistics that figures share: regrets of a matrix, reward over a lifetime.

Room: experiments. Lifetimes of the rules of all meta-training seeds are taken together for mean
and 95% interval; the means of the single seeds are kept beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from symla.environments import Environment
from symla.evaluation.evaluate import estimate, live
from symla.rules.rule import Rule

TEST_SEED = 2024  # tasks of these tests; no training uses this stream
BINS = 50


def regret(
    rules: Iterable[Rule], environment: Environment | str, lifetimes: int, length: int
) -> dict[str, Any]:
    """Cumulative regret at the end of a lifetime."""
    totals = []
    for rule in rules:
        _, regrets = live(rule, environment, lifetimes, length, TEST_SEED)
        assert regrets is not None
        totals.append(regrets.sum(axis=1, dtype=np.float64))
    return _pooled(totals)


def curve(
    rules: Iterable[Rule], environment: Environment | str, lifetimes: int, length: int
) -> dict[str, Any]:
    """Reward a step over the lifetime, in bins; in its last fifth; and the sum."""
    rewards = [live(rule, environment, lifetimes, length, TEST_SEED)[0] for rule in rules]
    bins = min(BINS, length)
    binned = [
        np.stack([part.mean(axis=1) for part in np.array_split(r, bins, axis=1)], axis=1)
        for r in rewards
    ]
    together = np.concatenate(binned)
    points = [estimate(column) for column in together.T.astype(np.float64)]
    fifth = max(1, length // 5)
    return {
        "length": length,
        "mean": [p.mean for p in points],
        "ci95": [p.ci95 for p in points],
        "return": _pooled([r.sum(axis=1, dtype=np.float64) for r in rewards]),
        "first_fifth": _pooled([r[:, :fifth].mean(axis=1, dtype=np.float64) for r in rewards]),
        "last_fifth": _pooled([r[:, -fifth:].mean(axis=1, dtype=np.float64) for r in rewards]),
    }


def _pooled(samples: list[np.ndarray]) -> dict[str, Any]:
    pooled = estimate(np.concatenate(samples))
    seeds = [float(s.mean()) for s in samples]
    return {"mean": pooled.mean, "ci95": pooled.ci95, "seeds": seeds}


def show(x: dict[str, Any], digits: int = 2) -> str:
    """Mean and interval, as a person reads them."""
    return f"{x['mean']:.{digits}f} ± {x['ci95']:.{digits}f}"


def above(x: dict[str, Any], bound: float = 0.0) -> bool:
    """Whether the whole interval lies above the bound."""
    return x["mean"] - x["ci95"] > bound


def overlap(x: dict[str, Any], y: dict[str, Any]) -> bool:
    return abs(x["mean"] - y["mean"]) <= x["ci95"] + y["ci95"]
