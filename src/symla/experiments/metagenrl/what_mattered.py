"""What we do otherwise than the paper, each left out by itself: which of it an objective needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.core.optimisers import Optimiser
from symla.experiments.figures import Verdict, claim_above
from symla.experiments.metagenrl.lessons import (
    FOLDER,
    IN_JAX,
    IN_WHICH_AGENTS_LEARN,
    SEEDS,
    TRAINED,
    gain,
    in_agents,
    recipe,
    rule_name,
)
from symla.experiments.recipes import Recipe
from symla.rules.rule import Rule

OURS, PAPERS = "learned, as by default", "learned, the paper's recipe"
# By what is left out: other settings of the agents, of the population, and of the objective.
LEFT_OUT: dict[str, dict[str, Any]] = {
    "births": {"population": {"lifetime": 0}},
    "led agents": {"population": {"led": 0.0}},
    "step in actions": {"agents": {"inner": "weights"}},
    "falling rate": {"population": {"generations": 0}},
    "early youth": {"population": {"youth": 300}},
    "plain reward": {"reward": "td-error"},
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
        "led": 0.0,
        "annealing": "mix",
        "annealing_steps": 600,
        "generations": 0,
    },
}


def papers_recipe(seed: int) -> Recipe:
    """In all three families."""
    return recipe(tuple(TRAINED), seed, **PAPERS_RECIPE)


@dataclass(frozen=True)
class WhatMattered:
    """Trained without it; fresh agents are all the same."""

    title = "what meta-training does otherwise than the paper: reward a step of fresh agents"
    rules_in = FOLDER

    def recipes(self) -> dict[str, Recipe]:
        found = {rule_name("all", seed): recipe(tuple(TRAINED), seed) for seed in SEEDS}
        for seed in SEEDS:
            found[f"papers-recipe-{seed}"] = papers_recipe(seed)
            for name, changes in LEFT_OUT.items():
                found[_name(name, seed)] = recipe(tuple(TRAINED), seed, **changes)
        return found

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        agents: Any = rules[rule_name("all", 0)].algorithm

        methods = {OURS: [rules[rule_name("all", seed)] for seed in SEEDS]}
        for name in LEFT_OUT:
            methods[_line(name)] = [in_agents(agents, rules[_name(name, seed)]) for seed in SEEDS]
        methods[PAPERS] = [in_agents(agents, rules[f"papers-recipe-{seed}"]) for seed in SEEDS]
        return IN_JAX.panels(methods, IN_WHICH_AGENTS_LEARN, scale)

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Paired over meta-training seeds; over the whole life of an agent."""
        found = []
        for world, lines in measured["panels"].items():
            for name in LEFT_OUT:
                claim = f"{world}: better with {name} than without"
                found.append(claim_above(claim, gain(lines, OURS, _line(name))))
            claim = f"{world}: better than by the paper's recipe"
            found.append(claim_above(claim, gain(lines, OURS, PAPERS)))
        return found


def _name(what: str, seed: int) -> str:
    return f"without-{what.replace(' ', '-')}-{seed}"


def _line(what: str) -> str:
    return f"learned, without {what}"
