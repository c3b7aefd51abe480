"""Metrics of generations as rows of a file, and the error for numbers that are not finite."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from symla.core.errors import DivergenceError
from symla.core.text import typed
from symla.training.generation import Metrics


def rows_of(metrics: Metrics, done: int, count: int, turns: int) -> list[dict[str, Any]]:
    """One row per generation, with the index of the environment that it was in where `turns`
    environments take turns. Summed here, where the order does not depend on the devices."""
    each = (Metrics(*columns) for columns in zip(*metrics))
    rows = [_row(one, number) for number, one in enumerate(islice(each, count), done + 1)]
    if turns > 1:
        rows = [row | {"environment": (row["generation"] - 1) % turns} for row in rows]
    return rows


def _row(metrics: Metrics, number: int) -> dict[str, Any]:
    finite = metrics.returns[np.isfinite(metrics.returns)]
    return {
        "generation": number,
        "return_mean": float(np.mean(finite, dtype=np.float64)),
        "return_best": float(np.max(finite)),
        "return_worst": float(np.min(finite)),
        "not_finite": int(metrics.returns.size - finite.size),
        "update_norm": float(metrics.update_norm),
        "params_norm": float(metrics.params_norm),
    }


def divergence(returns: Float[np.ndarray, " P"], number: int, path: Path) -> DivergenceError:
    """What to do about generation `number`, whose returns or new state are not finite."""
    if not np.isfinite(returns).any():
        what = f"none of the {returns.size} returns of generation {number} is a finite number"
        advice = "look at the environment's rewards, or lower sigma"
    else:
        what = f"the meta-parameters left the finite numbers in generation {number}"
        advice = "lower learning_rate or sigma"
    return DivergenceError(
        f"{what}: {advice}. {path} keeps the last finite state, of generation {number - 1}: "
        f"`symla resume {typed(path)} --allow-changes` goes on from there with other options"
    )
