"""Meta-trainings that do without something: an input of the objective (figure 5), or one of the
measures that we take and the paper does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from symla.core.optimisers import Optimiser
from symla.experiments.figures import Verdict, claim_above
from symla.experiments.measures import show
from symla.experiments.metagenrl.lessons import (
    FOLDER,
    IN_JAX,
    IN_WHICH_AGENTS_LEARN,
    LED,
    LED_SET,
    SEEDS,
    SET,
    TRAINED,
    gain,
    in_agents,
    recipe,
    rule_name,
)
from symla.experiments.recipes import Recipe
from symla.rules.rule import Rule

WHOLE, PAPERS = "learned, nothing left out", "learned, the paper's recipe"
TD_ERROR = "learned, the TD error in place of the reward"
# What is trained instead, by what is left out: settings of `lessons.recipe`.
INPUTS: dict[str, dict[str, Any]] = {
    "t": {"time": False},
    "V of the next step": {"next_value": False},
    "V": {"value": False, "next_value": False},
}
MEASURES: dict[str, dict[str, Any]] = {
    "births": {"population": {"lifetime": 0}},
    "led agents": {"population": {"led": 0.0}},
    "step in actions": {"agents": {"inner": "weights"}},
    "falling rate": {"population": {"generations": 0}},
}
# All as published, but for sizes and that agents are helped over a tenth of their lives.
PAPERS_RECIPE: dict[str, Any] = {
    "agents": {
        "inner": "weights",
        "inner_rate": 1e-3,
        "unit_step": False,
        "scaled_value": False,
    },
    "population": {
        "optimiser": Optimiser(1e-3, clip=1.0),
        "lifetime": 0,
        "annealing": "mix",
        "annealing_steps": 600,
        "generations": 0,
    },
}


def papers_recipe(seed: int) -> Recipe:
    """In all three families."""
    return recipe(tuple(TRAINED), seed, **PAPERS_RECIPE)


class LeftOut:
    """A training with all of it, and one without each of `changes`. The agents that are taught are
    the same."""

    rules_in = FOLDER
    set_name: ClassVar[str] = SET
    seeds: ClassVar[Sequence[int]] = SEEDS
    population: ClassVar[Mapping[str, Any]] = {}  # in all of its trainings
    changes: ClassVar[Mapping[str, Mapping[str, Any]]]

    def recipes(self) -> dict[str, Recipe]:
        found = {}
        for seed in self.seeds:
            found[rule_name(self.set_name, seed)] = self._recipe(seed, {})
            found |= {_name(what, seed): self._recipe(seed, x) for what, x in self.changes.items()}
        return found

    def _recipe(self, seed: int, changes: Mapping[str, Any]) -> Recipe:
        population = {**self.population, **changes.get("population", {})}
        return recipe(tuple(TRAINED), seed, **{**changes, "population": population})

    def methods(self, rules: Mapping[str, Rule]) -> dict[str, list[Rule]]:
        """The lines of the figure."""
        found = {WHOLE: [rules[rule_name(self.set_name, seed)] for seed in self.seeds]}
        agents: Any = found[WHOLE][0].algorithm
        for what in self.changes:
            without = (rules[_name(what, seed)] for seed in self.seeds)
            found[_line(what)] = [in_agents(agents, rule) for rule in without]
        return found

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        return IN_JAX.panels(self.methods(rules), IN_WHICH_AGENTS_LEARN, scale)


@dataclass(frozen=True)
class WithoutInputs(LeftOut):
    """Figure 5: each is trained without the input, and tested without it. And, which the paper has
    not, with r + discount V' - V in place of r, which tells how V' - V and r compare in size."""

    title = "what the objective sees: reward a step of fresh agents over their lives"
    changes = INPUTS

    def recipes(self) -> dict[str, Recipe]:
        td_error = {f"td-error-{s}": self._recipe(s, {"reward": "td-error"}) for s in self.seeds}
        return super().recipes() | td_error

    def methods(self, rules: Mapping[str, Rule]) -> dict[str, list[Rule]]:
        found = super().methods(rules)
        agents: Any = found[WHOLE][0].algorithm
        return found | {
            TD_ERROR: [in_agents(agents, rules[f"td-error-{seed}"]) for seed in self.seeds]
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Paired over meta-training seeds."""
        found = []
        for world, lines in measured["panels"].items():
            for what in self.changes:
                lost = gain(lines, WHOLE, _line(what))
                if what == "V":
                    found.append(claim_above(f"{world}: V is needed", lost))
                else:
                    claim = f"{world}: without {what} no loss is shown"
                    found.append(Verdict(claim, show(lost), lost.low <= 0))
            claim = f"ours, {world}: better with the TD error in place of the reward"
            found.append(claim_above(claim, gain(lines, TD_ERROR, WHOLE)))
        return found


@dataclass(frozen=True)
class WhatMattered(LeftOut):
    """What we do otherwise than the paper, each left out by itself, and all of it at once."""

    title = "what meta-training does otherwise than the paper: reward a step of fresh agents"
    set_name = LED_SET
    seeds = SEEDS[:3]
    population = LED
    changes = MEASURES

    def recipes(self) -> dict[str, Recipe]:
        papers = {f"papers-recipe-{seed}": papers_recipe(seed) for seed in self.seeds}
        return super().recipes() | papers

    def methods(self, rules: Mapping[str, Rule]) -> dict[str, list[Rule]]:
        found = super().methods(rules)
        agents: Any = found[WHOLE][0].algorithm
        papers = (rules[f"papers-recipe-{seed}"] for seed in self.seeds)
        return found | {PAPERS: [in_agents(agents, rule) for rule in papers]}

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Paired over meta-training seeds; over the whole life of an agent."""
        found = []
        for world, lines in measured["panels"].items():
            for what in self.changes:
                claim = f"{world}: better with {what} than without"
                found.append(claim_above(claim, gain(lines, WHOLE, _line(what))))
            claim = f"{world}: better than by the paper's recipe"
            found.append(claim_above(claim, gain(lines, WHOLE, PAPERS)))
        return found


def _name(what: str, seed: int) -> str:
    return f"without-{what.replace(' ', '-').lower()}-{seed}"


def _line(what: str) -> str:
    return f"learned, without {what}"
