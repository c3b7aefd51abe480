"""Figures 4 and 10: how an objective becomes better with more meta-training, or worse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from symla.experiments.figures import Verdict, claim_above
from symla.experiments.metagenrl.lessons import (
    FOLDER,
    IN_JAX,
    IN_WHICH_AGENTS_LEARN,
    LED,
    LED_SET,
    SEEDS,
    TRAINED,
    gain,
    others,
    recipe,
    rule_name,
)
from symla.experiments.recipes import Recipe
from symla.rules.rule import Rule

# Each has a schedule of its own: at a full rate, an objective in the middle of a training is worse
# than that of a shorter one whose rate has fallen.
LENGTHS = (40, 120, 360, 1080)


@dataclass(frozen=True)
class MoreTraining:
    """Figure 4: trainings of different lengths, in all three families."""

    rules_in = FOLDER
    set_name: ClassVar[str] = LED_SET
    worlds: ClassVar[tuple[str, ...]] = tuple(TRAINED)
    population: ClassVar[Mapping[str, Any]] = LED

    @property
    def title(self) -> str:
        return f"more meta-training ({self.set_name}): reward a step over lives of fresh agents"

    def recipes(self) -> dict[str, Recipe]:
        return {
            rule_name(self.set_name, seed, length): recipe(
                self.worlds, seed, length, population=self.population
            )
            for length in LENGTHS
            for seed in SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        methods = {
            _line(length): [rules[rule_name(self.set_name, seed, length)] for seed in SEEDS]
            for length in LENGTHS
        }
        hand_made = others(rules[rule_name(self.set_name, 0, LENGTHS[0])].algorithm)
        random = "random objective"
        return IN_JAX.panels(methods | {random: hand_made[random]}, IN_WHICH_AGENTS_LEARN, scale)

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Paired over meta-training seeds."""
        found = []
        for world, lines in measured["panels"].items():
            for few, many in pairwise(LENGTHS):
                claim = f"{world}: {many} generations teach more than {few}"
                found.append(claim_above(claim, gain(lines, _line(many), _line(few))))
        return found


@dataclass(frozen=True)
class LongOnOne(MoreTraining):
    """Figure 10: long on one family, until every agent has converged in it."""

    set_name = "navigation"
    worlds = ("navigation",)
    population: ClassVar[Mapping[str, Any]] = {}

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """The paper's: past some length an objective becomes worse for fresh agents."""
        found = []
        for world, lines in measured["panels"].items():
            most, before = LENGTHS[-1], LENGTHS[-2]
            claim = f"{world}: {before} generations on navigation alone teach more than {most}"
            found.append(claim_above(claim, gain(lines, _line(before), _line(most))))
        return found


def _line(length: int) -> str:
    return f"learned, {length} generations"
