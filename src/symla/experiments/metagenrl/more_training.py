"""Figure 4: how an objective becomes better with more meta-training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from symla.experiments.figures import Verdict, claim_above
from symla.experiments.metagenrl.lessons import (
    FOLDER,
    IN_WHICH_AGENTS_LEARN,
    SEEDS,
    TRAINED,
    gain,
    others,
    panels,
    recipe,
)
from symla.experiments.recipes import Recipe
from symla.rules.rule import Rule

# Each has a schedule of its own: at a full rate, an objective in the middle of a training is worse
# than that of a shorter one whose rate has fallen.
LENGTHS = (40, 120, 360, 1080)


@dataclass(frozen=True)
class MoreTraining:
    """Trainings of different lengths."""

    title = "more meta-training: reward a step of fresh agents over their lives"
    rules_in = FOLDER

    def recipes(self) -> dict[str, Recipe]:
        return {
            _name(length, seed): recipe(tuple(TRAINED), seed, length)
            for length in LENGTHS
            for seed in SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        methods = {
            f"learned, {length} generations": [rules[_name(length, seed)] for seed in SEEDS]
            for length in LENGTHS
        }
        hand_made = others(rules[_name(LENGTHS[0], 0)].algorithm)
        random = "random objective"
        return panels(methods | {random: hand_made[random]}, IN_WHICH_AGENTS_LEARN, scale)

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Paired over meta-training seeds."""
        found = []
        for world, lines in measured["panels"].items():
            for few, many in pairwise(LENGTHS):
                names = [f"learned, {length} generations" for length in (many, few)]
                claim = f"{world}: {many} generations teach more than {few}"
                found.append(claim_above(claim, gain(lines, *names)))
        return found


def _name(length: int, seed: int) -> str:
    """That of table 2, where the length is the same."""
    return f"all-{seed}" if length == 360 else f"all-{length}-{seed}"
