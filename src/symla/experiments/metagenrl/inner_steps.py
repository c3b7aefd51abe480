"""Figure 6: 1, 3 or 5 inner steps before the critic is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.experiments.figures import Verdict, claim_above
from symla.experiments.metagenrl.lessons import (
    FOLDER,
    IN_JAX,
    IN_WHICH_AGENTS_LEARN,
    SEEDS,
    SET,
    TRAINED,
    gain,
    recipe,
    rule_name,
)
from symla.experiments.recipes import Recipe
from symla.rules.rule import Rule

STEPS = (1, 3, 5)


@dataclass(frozen=True)
class InnerSteps:
    """The same number of generations, whose cost rises with the steps."""

    title = "inner steps of meta-training: reward a step of fresh agents over their lives"
    rules_in = FOLDER

    def recipes(self) -> dict[str, Recipe]:
        return {
            _name(steps, seed): recipe(tuple(TRAINED), seed, agents={"inner_steps": steps})
            for steps in STEPS
            for seed in SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        methods = {_line(steps): [rules[_name(steps, seed)] for seed in SEEDS] for steps in STEPS}
        return IN_JAX.panels(methods, IN_WHICH_AGENTS_LEARN, scale)

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Paired over meta-training seeds."""
        found = []
        for world, lines in measured["panels"].items():
            for better, worse in ((3, 1), (3, 5)):
                claim = f"{world}: {better} inner steps are better than {worse}"
                found.append(claim_above(claim, gain(lines, _line(better), _line(worse))))
        return found


def _line(steps: int) -> str:
    return f"learned, {steps} inner step{'s' * (steps > 1)}"


def _name(steps: int, seed: int) -> str:
    return rule_name(SET, seed) if steps == 1 else f"inner-{steps}-{seed}"
