"""What figures measure: regrets of a matrix, reward over a lifetime, of a method's rules.

A method is one rule for each meta-training seed; its intervals are over these (Student's t). The
rules of a seed live tasks of their own, so that seeds are independent samples of everything that is
random: were the tasks those of all seeds, what these tasks happen to be would not be in the
intervals. All methods live the same tasks, seed by seed. A hand-made algorithm lives those of all
seeds, and its intervals are over lifetimes.
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
from symla.evaluation.evaluation import Sums
from symla.evaluation.lifetime_sums import live
from symla.evaluation.statistics import (
    Estimate,
    Lifetimes,
    estimate,
    over_seeds,
    paired,
    unpaired,
)
from symla.lifetimes.lifetime import bin_edges
from symla.rules.loading import reference_rules
from symla.rules.rule import Rule

TEST_SEED = 2024  # of the tasks of meta-training seed 0; those of the next seeds follow
SETS = 5  # of tasks, which hand-made algorithms live: of as many seeds as a method has at most
POINTS = 50  # of a curve
# Of `ablations.PARTS` those that figures leave out, and what these are called.
PARTS = {"observation": "observations", "reward": "rewards", "memory": "memory"}


class Measured:
    """A number of each lifetime, by meta-training seed: of the rule of that seed, or of a hand-made
    algorithm in the same tasks."""

    def __init__(self, samples: Lifetimes, by_hand: bool = False):
        self.samples, self.by_hand = samples, by_hand

    @property
    def estimate(self) -> Estimate:
        """Mean and interval, over seeds; of a hand-made algorithm over lifetimes."""
        return estimate(np.concatenate(self.samples)) if self.by_hand else over_seeds(self.samples)

    def towards(self, other: Measured, share: float) -> Measured:
        """So far on the way to another, which lived the same lifetimes."""
        pairs = zip(self.samples, self._same_tasks(other))
        return Measured([own + share * (there - own) for own, there in pairs], self.by_hand)

    def times(self, factor: float) -> Measured:
        """Each number so many times."""
        return Measured([factor * own for own in self.samples], self.by_hand)

    def minus(self, other: Measured) -> Estimate:
        """The paired difference: of the same rules elsewhere, or of a hand-made algorithm."""
        return paired(self.samples, self._same_tasks(other))

    def beside(self, other: Measured) -> Estimate:
        """The difference from another method, trained apart: paired by the tasks of each seed where
        it has as many, or else Welch's."""
        ours, theirs = ([np.mean(s, keepdims=True) for s in x.samples] for x in (self, other))
        return (paired if len(ours) == len(theirs) else unpaired)(ours, theirs)

    def _same_tasks(self, other: Measured) -> Lifetimes:
        """What another has in the tasks of these seeds."""
        return other.samples[: len(self.samples)] if other.by_hand else other.samples

    def to_json(self) -> dict[str, Any]:
        """Mean and interval, and the mean of each meta-training seed."""
        found = {"mean": self.estimate.mean, "ci95": self.estimate.ci95}
        if self.by_hand:
            return found
        return found | {"seeds": [float(np.mean(s, dtype=np.float64)) for s in self.samples]}


Rules = Sequence[Rule] | Rule
"""Of a method by meta-training seed, or a hand-made one."""


def _lived(
    rules: Rules, environment: Environment | str, lifetimes: int, length: int, seeds: Sequence[int]
) -> list[Sums]:
    """What each rule did in the tasks of its meta-training seed, by default 0, 1, ...; a hand-made
    one in those of all SETS."""
    each = [rules] * SETS if isinstance(rules, Rule) else rules
    numbers = seeds or range(len(each))
    return [
        live(rule, environment, lifetimes, length, TEST_SEED + number)
        for rule, number in zip(each, numbers, strict=True)
    ]


def regret(
    rules: Rules,
    environment: Environment | str,
    lifetimes: int,
    length: int,
    seeds: Sequence[int] = (),
) -> Measured:
    """Cumulative regret at the end of a lifetime, of the rules of those seeds, or of 0, 1, ..."""
    totals = []
    for lived in _lived(rules, environment, lifetimes, length, seeds):
        assert lived.regret is not None
        totals.append(lived.regret.sum(axis=1, dtype=np.float64))
    return Measured(totals, isinstance(rules, Rule))


def hand_made_regrets(
    environments: Sequence[str], lifetimes: int, length: int
) -> dict[str, dict[str, Measured]]:
    """Of the hand-made bandit algorithms, by environment and name."""
    return {
        environment: {
            name: regret(rule, environment, lifetimes, length)
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
    """Reward per step over lifetimes, by meta-training seed: sums between `edges`."""

    def __init__(
        self,
        rewards: Sequence[Float[np.ndarray, "lifetimes bins"]],
        edges: Int[np.ndarray, " e"],
        by_hand: bool = False,
    ):
        self.rewards, self.by_hand = rewards, by_hand
        self.length = int(edges[-1])
        self.steps = np.diff(edges)
        fifth = max(1, self.steps.size // 5)
        self.total = self._measured([r.sum(axis=1) for r in self.rewards])
        self.mean = self._of(slice(None))
        self.first = self._of(slice(0, fifth))
        self.last = self._of(slice(self.steps.size - fifth, None))

    @classmethod
    def of(
        cls,
        rules: Rules,
        environment: Environment | str,
        lifetimes: int,
        length: int,
        what: Literal["reward", "ends"] = "reward",
        seeds: Sequence[int] = (),
    ) -> Curve:
        """Of rules that live there, of those seeds, or of 0, 1, ...; or how many of their episodes
        end."""
        lived = _lived(rules, environment, lifetimes, length, seeds)
        sums = [np.asarray(getattr(each, what), np.float64) for each in lived]
        return cls(sums, bin_edges(length, sums[0].shape[1]), isinstance(rules, Rule))

    def within(self, which: slice, parts: int) -> Measured:
        """Sums over those of so many equal parts of the lifetime."""
        kept = np.array_split(np.arange(self.steps.size), parts)[which]
        return self._measured([r[:, np.concatenate(kept)].sum(axis=1) for r in self.rewards])

    def _of(self, part: slice) -> Measured:
        """Reward a step in that part of the lifetime."""
        steps = self.steps[part].sum()
        return self._measured([r[:, part].sum(axis=1) / steps for r in self.rewards])

    def _measured(self, samples: Lifetimes) -> Measured:
        return Measured(samples, self.by_hand)

    def to_json(self) -> dict[str, Any]:
        """About POINTS points of the curve, and the measures of its parts."""
        width = max(1, self.steps.size // POINTS)
        parts = [self._of(slice(i, i + width)) for i in range(0, self.steps.size, width)]
        points = [part.estimate for part in parts]
        seeds = 0 if self.by_hand else len(self.rewards)
        by_seed = [[float(part.samples[i].mean()) for part in parts] for i in range(seeds)]
        return {
            "length": self.length,
            "mean": [p.mean for p in points],
            "ci95": [p.ci95 for p in points],
            "seeds": by_seed,
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
