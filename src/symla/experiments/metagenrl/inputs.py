"""Figure 5: which inputs an objective needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.experiments.figures import Verdict, claim_above
from symla.experiments.measures import show
from symla.experiments.metagenrl.lessons import (
    FOLDER,
    IN_JAX,
    IN_WHICH_AGENTS_LEARN,
    SEEDS,
    TRAINED,
    gain,
    recipe,
    rule_name,
)
from symla.experiments.recipes import Recipe
from symla.rules.rule import Rule

WITHOUT: dict[str, dict[str, Any]] = {
    "without t": {"time": False},
    "without V of the next step": {"next_value": False},
    "without V": {"value": False, "next_value": False},
}
EVERYTHING = "learned, all inputs"


@dataclass(frozen=True)
class WithoutInputs:
    """Each is trained without the input, and tested without it."""

    title = "what the objective sees: reward a step of fresh agents over their lives"
    rules_in = FOLDER

    def recipes(self) -> dict[str, Recipe]:
        found = {rule_name("all", seed): recipe(tuple(TRAINED), seed) for seed in SEEDS}
        for name, inputs in WITHOUT.items():
            for seed in SEEDS:
                found[_name(name, seed)] = recipe(tuple(TRAINED), seed, **inputs)
        return found

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        methods = {EVERYTHING: [rules[rule_name("all", seed)] for seed in SEEDS]}
        for name in WITHOUT:
            methods[f"learned, {name}"] = [rules[_name(name, seed)] for seed in SEEDS]
        return IN_JAX.panels(methods, IN_WHICH_AGENTS_LEARN, scale)

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Paired over meta-training seeds."""
        found = []
        for world, lines in measured["panels"].items():
            for name in WITHOUT:
                lost = gain(lines, EVERYTHING, f"learned, {name}")
                if name == "without V":
                    found.append(claim_above(f"{world}: V is needed", lost))
                else:
                    claim = f"{world}: {name} no loss is shown"
                    found.append(Verdict(claim, show(lost), lost.low <= 0))
        return found


def _name(name: str, seed: int) -> str:
    return f"{name.replace(' ', '-').lower()}-{seed}"
