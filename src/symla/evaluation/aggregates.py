"""What rules reach over several environments, as rliable has it (Agarwal et al., NeurIPS 2021).

Scores are [runs, environments], one scale for all environments. Intervals are percentiles of a
stratified bootstrap: runs are drawn anew within each environment, environments stay.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from symla.core.errors import require
from symla.evaluation.statistics import CONFIDENCE

Scores = Float[np.ndarray, "runs environments"]
RESAMPLES = 2000
BLOCK = 4_000_000  # numbers drawn at once, at most: bounds memory


@dataclass(frozen=True)
class Aggregate:
    """A statistic, or several, with the ends of their 95% intervals."""

    value: Float[np.ndarray, " *statistics"]
    low: Float[np.ndarray, " *statistics"]
    high: Float[np.ndarray, " *statistics"]

    def __str__(self) -> str:
        return f"{float(self.value):.3f} [{float(self.low):.3f}, {float(self.high):.3f}]"


def interquartile_mean(scores: Float[np.ndarray, "*batch runs environments"]) -> Any:
    """The mean of the middle half of all runs of all environments together (IQM).

    A quarter, rounded down, is left out at each end, as `scipy.stats.trim_mean` does.
    """
    flat = np.sort(scores.reshape(*scores.shape[:-2], -1), axis=-1)
    cut = flat.shape[-1] // 4
    return flat[..., cut : flat.shape[-1] - cut].mean(axis=-1)


def performance_profile(
    scores: Float[np.ndarray, "*batch runs environments"], thresholds: Float[np.ndarray, " points"]
) -> Any:
    """For each threshold, the part of all runs whose score is above it, a mean over environments
    ("run-score distribution")."""
    above = scores[..., None] > thresholds
    return above.mean(axis=(-3, -2))


def bootstrapped(
    scores: Scores, statistic: Callable[[np.ndarray], Any], seed: int = 0
) -> Aggregate:
    """The statistic of the scores with its interval. Raises SettingError for fewer than 2 runs."""
    runs, environments = scores.shape
    require(runs >= 2, f"an interval needs at least 2 runs in each environment, got {runs}")
    random = np.random.default_rng(seed)
    block = max(1, BLOCK // scores.size)
    found = []
    for first in range(0, RESAMPLES, block):
        count = min(block, RESAMPLES - first)
        drawn = random.integers(runs, size=(count, runs, environments))
        found.append(statistic(np.take_along_axis(scores[None], drawn, axis=1)))
    outside = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(np.concatenate(found), [outside, 100 - outside], axis=0)
    return Aggregate(*map(np.asarray, (statistic(scores), low, high)))


def normalised(
    returns: Mapping[str, Mapping[str, Float[np.ndarray, " runs"]]], zero: str | None = None
) -> dict[str, Scores]:
    """Scores by rule, from returns by rule and environment.

    In each environment 0 is the mean of the rule `zero` (None: the lowest mean there), 1 the
    highest mean.

    Every rule needs every environment, and as many runs. Raises SettingError otherwise.
    """
    environments = list(next(iter(returns.values())))
    shapes = {
        tuple((e, x.size) for e, x in by_environment.items()) for by_environment in returns.values()
    }
    require(
        len(shapes) == 1 and len({size for _, size in next(iter(shapes))}) == 1,
        "aggregates need every rule in every environment, and as many runs of each",
    )
    scores: dict[str, list[np.ndarray]] = {rule: [] for rule in returns}
    for environment in environments:
        means = {rule: float(np.mean(found[environment])) for rule, found in returns.items()}
        low = min(means.values()) if zero is None else means[zero]
        gap = max(means.values()) - low
        for rule, found in returns.items():
            scores[rule].append((found[environment] - low) / (gap if gap > 0 else 1.0))
    return {rule: np.stack(columns, axis=1) for rule, columns in scores.items()}
