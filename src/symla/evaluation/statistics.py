"""Means with 95% intervals, of lifetimes and of meta-training seeds, and what they allow to claim.

The unit of a claim about a *method* is the meta-training seed; about one *rule*, the lifetime.
Lifetimes that share tasks are paired. Intervals are Student's t, which is wide where samples are
few: 12.7, 4.3, 3.2, 2.8 standard errors for 2, 3, 4, 5 samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from symla.core.output import for_stdout

CONFIDENCE = 0.95

# For the rule of each meta-training seed, one number per lifetime, such as its return or regret.
Lifetimes = Sequence[Float[np.ndarray, " lifetimes"]]


@dataclass(frozen=True)
class Estimate:
    """A mean, and the half-width of its 95% confidence interval."""

    mean: float
    ci95: float

    def __str__(self) -> str:
        return f"{self:.2f}"

    def __format__(self, numbers: str) -> str:
        """Mean and interval, both as `numbers` says: f"{x:.4f}". The mean alone where the interval
        is infinite, as of one lifetime."""
        if not numbers:
            return str(self)
        interval = f" ± {self.ci95:{numbers}}" if np.isfinite(self.ci95) else ""
        return for_stdout(f"{self.mean:{numbers}}{interval}")

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.mean - self.ci95

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.mean + self.ci95


def estimate(samples: Float[np.ndarray, " n"]) -> Estimate:
    """Mean of independent samples, and Student's t interval: t_{n-1} s / sqrt(n).

    One sample has no spread that could be known: its interval is infinite.
    """
    samples = np.asarray(samples, dtype=np.float64)
    n = samples.size
    if n < 2:
        return Estimate(float(samples.mean()), float("inf"))
    error = np.std(samples, ddof=1) / np.sqrt(n)
    return Estimate(float(np.mean(samples)), float(_t(float(n - 1)) * error))


def over_seeds(samples: Lifetimes) -> Estimate:
    """Of a method: an array of lifetimes for each meta-training seed, whose means are the samples.

    A method without meta-training, one array, is measured over its lifetimes.
    """
    if len(samples) == 1:
        return estimate(samples[0])
    return estimate(np.array([np.mean(s, dtype=np.float64) for s in samples]))


def paired(
    ours: Lifetimes,
    theirs: Lifetimes,
) -> Estimate:
    """ours - theirs, where lifetime i of every array is of task i.

    Seed by seed where both have as many (the same rule under two conditions); one array of theirs
    (a hand-made algorithm) stands beside every seed of ours.
    """
    if len(theirs) == 1:
        theirs = [theirs[0]] * len(ours)
    return over_seeds([one - other for one, other in zip(ours, theirs, strict=True)])


def unpaired(
    ours: Lifetimes,
    theirs: Lifetimes,
) -> Estimate:
    """ours - theirs of two methods trained apart: Welch's interval over their seeds."""
    a, b = (np.array([np.mean(s, dtype=np.float64) for s in side]) for side in (ours, theirs))
    difference = float(a.mean() - b.mean())
    if min(a.size, b.size) < 2:
        return Estimate(difference, float("inf"))
    u, v = a.var(ddof=1) / a.size, b.var(ddof=1) / b.size
    if u + v == 0:
        return Estimate(difference, 0.0)
    freedom = (u + v) ** 2 / (u**2 / (a.size - 1) + v**2 / (b.size - 1))
    return Estimate(difference, float(_t(freedom) * np.sqrt(u + v)))


def _t(freedom: float) -> float:
    """The quantile of Student's t that leaves 2.5% above."""
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))
