"""What figures measure: regrets of a matrix, reward over a lifetime, of a method's rules.

A method is one rule for each meta-training seed; its intervals are over these (Student's t). A
hand-made algorithm is one rule, and its intervals are over lifetimes. All live the same tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from symla.algorithms import LearnsFromRollouts
from symla.environments import Environment, make
from symla.evaluation.ablations import Ablated
from symla.evaluation.lifetime_sums import live
from symla.evaluation.statistics import Estimate, Lifetimes, over_seeds, paired, unpaired
from symla.lifetimes.lifetime import bin_edges
from symla.rules.loading import reference_rules
from symla.rules.rule import Rule

TEST_SEED = 2024
POINTS = 50  # of a curve
# Of `ablations.PARTS` those that figures leave out, and what these are called.
PARTS = {"observation": "observations", "reward": "rewards", "memory": "memory"}


class Measured:
    """A number of each lifetime of each rule of a method."""

    def __init__(self, samples: Lifetimes):
        self.samples = samples

    @property
    def estimate(self) -> Estimate:
        """Mean and interval, over seeds if there are several."""
        return over_seeds(self.samples)

    def towards(self, other: Measured, share: float) -> Measured:
        """So far on the way to another, whose only rule lived the same lifetimes."""
        (there,) = other.samples
        return Measured([own + share * (there - own) for own in self.samples])

    def times(self, factor: float) -> Measured:
        """Each number so many times."""
        return Measured([factor * own for own in self.samples])

    def minus(self, other: Measured) -> Estimate:
        """The paired difference: of the same rules elsewhere, or of a hand-made algorithm."""
        return paired(self.samples, other.samples)

    def beside(self, other: Measured) -> Estimate:
        """The difference from another method, trained apart."""
        return unpaired(self.samples, other.samples)

    def to_json(self) -> dict[str, Any]:
        """Mean and interval, and the mean of each seed if there are several."""
        found = {"mean": self.estimate.mean, "ci95": self.estimate.ci95}
        if len(self.samples) == 1:
            return found
        return found | {"seeds": [float(np.mean(s, dtype=np.float64)) for s in self.samples]}


def regret(
    rules: Sequence[Rule], environment: Environment | str, lifetimes: int, length: int
) -> Measured:
    """Cumulative regret at the end of a lifetime."""
    totals = []
    for rule in rules:
        regrets = live(rule, environment, lifetimes, length, TEST_SEED).regret
        assert regrets is not None
        totals.append(regrets.sum(axis=1, dtype=np.float64))
    return Measured(totals)


def hand_made_regrets(
    environments: Sequence[str], lifetimes: int, length: int
) -> dict[str, dict[str, Measured]]:
    """Of the hand-made bandit algorithms, by environment and name."""
    return {
        environment: {
            name: regret([rule], environment, lifetimes, length)
            for name, rule in reference_rules(make(environment), length).items()
        }
        for environment in environments
    }


def to_json(measured: Any) -> Any:
    """Nested dictionaries of what was measured, as JSON has them."""
    if isinstance(measured, Mapping):
        return {key: to_json(value) for key, value in measured.items()}
    return measured.to_json() if hasattr(measured, "to_json") else measured


class Curve:
    """Reward per step over lifetimes, of each rule of a method: sums between `edges`."""

    def __init__(
        self, rewards: Sequence[Float[np.ndarray, "lifetimes bins"]], edges: Int[np.ndarray, " e"]
    ):
        self.rewards = rewards
        self.length = int(edges[-1])
        self.steps = np.diff(edges)
        fifth = max(1, self.steps.size // 5)
        self.total = Measured([r.sum(axis=1) for r in self.rewards])
        self.mean = self._of(slice(None))
        self.first = self._of(slice(0, fifth))
        self.last = self._of(slice(self.steps.size - fifth, None))

    @classmethod
    def of(
        cls,
        rules: Sequence[Rule],
        environment: Environment | str,
        lifetimes: int,
        length: int,
        what: Literal["reward", "ends"] = "reward",
    ) -> Curve:
        """Of rules that live there, in the same tasks; or how many of their episodes end."""
        lived = (live(rule, environment, lifetimes, length, TEST_SEED) for rule in rules)
        sums = [np.asarray(getattr(each, what), np.float64) for each in lived]
        return cls(sums, bin_edges(length, sums[0].shape[1]))

    def within(self, which: slice, parts: int) -> Measured:
        """Sums over those of so many equal parts of the lifetime."""
        kept = np.array_split(np.arange(self.steps.size), parts)[which]
        return Measured([r[:, np.concatenate(kept)].sum(axis=1) for r in self.rewards])

    def _of(self, part: slice) -> Measured:
        """Reward a step in that part of the lifetime."""
        steps = self.steps[part].sum()
        return Measured([r[:, part].sum(axis=1) / steps for r in self.rewards])

    def to_json(self) -> dict[str, Any]:
        """About POINTS points of the curve, and the measures of its parts."""
        width = max(1, self.steps.size // POINTS)
        parts = [self._of(slice(i, i + width)) for i in range(0, self.steps.size, width)]
        points = [part.estimate for part in parts]
        seeds = [
            [float(part.samples[i].mean()) for part in parts] for i in range(len(self.rewards))
        ]
        return {
            "length": self.length,
            "mean": [p.mean for p in points],
            "ci95": [p.ci95 for p in points],
            "seeds": seeds,
            "return": self.total.to_json(),
            "first_fifth": self.first.to_json(),
            "last_fifth": self.last.to_json(),
            "improvement": _json(self.last.minus(self.first)),
        }


def _json(x: Estimate) -> dict[str, float]:
    return {"mean": x.mean, "ci95": x.ci95}


def without(rules: Sequence[Rule], environment: Environment, part: str) -> list[Rule]:
    """The same rules of black boxes, with zeros in the place of that one of `ablations.PARTS`."""

    def blind(rule: Rule) -> Rule:
        assert not isinstance(rule.algorithm, LearnsFromRollouts)
        params = Ablated.replacing(rule.params, part)
        return replace(rule, algorithm=Ablated(rule.algorithm, environment), params=params)

    return list(map(blind, rules))


def show(x: Estimate, digits: int = 2) -> str:
    """Mean and interval, as a person reads them."""
    return f"{x.mean:.{digits}f} ± {x.ci95:.{digits}f}"
