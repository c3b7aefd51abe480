"""Figure 4: trained on a few numbers of arms, tested on others. Plus a mixture of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import SymLA
from symla.environments import IndependentBandit
from symla.experiments.measures import regret, show
from symla.experiments.recipes import SEEDS, Recipe, Verdict
from symla.experiments.symla.figure3 import references
from symla.outer import EvolutionStrategies
from symla.rules.rule import Rule

LENGTH = 100
TRAINED = {
    "2": (2,),
    "8": (8,),
    "10": (10,),
    "12": (12,),
    "2 to 12": (2, 8, 4, 12, 6, 10),
}
TESTED = (2, 5, 8, 10, 12, 20, 50)
PAPER = {
    "2": {2: 4.2, 8: 120, 10: 130, 12: 140},
    "8": {2: 12, 8: 13, 10: 15, 12: 17},
    "10": {2: 14, 8: 13, 10: 15, 12: 17},
    "12": {2: 20, 8: 15, 10: 16, 12: 17},
}


@dataclass(frozen=True)
class Figure4:
    """N = 16: smaller than the paper's 64, and enough."""

    title = "generalisation to other numbers of arms: regret over 100 pulls, train x test"

    def recipes(self) -> dict[str, Recipe]:
        outer = EvolutionStrategies(256, 0.4, 0.05, annealing=1000)
        return {
            f"symla-{trained.replace(' ', '-')}-{seed}": Recipe(
                SymLA(), tuple(map(IndependentBandit, arms)), outer, 8, LENGTH, 1200, seed
            )
            for trained, arms in TRAINED.items()
            for seed in SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))
        matrix = {
            trained: {
                str(arms): regret(
                    [rules[f"symla-{trained.replace(' ', '-')}-{seed}"] for seed in SEEDS],
                    IndependentBandit(arms),
                    lifetimes,
                    length,
                )
                for arms in TESTED
            }
            for trained in TRAINED
        }
        names = [f"bandit-arms-{arms}" for arms in TESTED]
        return {
            "kind": "matrix",
            "length": length,
            "matrix": {"symla": matrix},
            "paper": {row: {str(k): v for k, v in cells.items()} for row, cells in PAPER.items()},
            "references": references(names, length, 4 * lifetimes),
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        matrix, known = measured["matrix"]["symla"], measured["references"]
        thompson = {a: known[f"bandit-arms-{a}"]["thompson"]["mean"] for a in TESTED}
        found = [
            Verdict(
                f"trained on {row}, tested on {arms} arms: better than the paper's {theirs}",
                show(matrix[row][str(arms)]),
                matrix[row][str(arms)]["mean"] < theirs,
            )
            for row, cells in PAPER.items()
            if row != "2"
            for arms, theirs in cells.items()
        ]
        mixture = matrix["2 to 12"]
        found += [
            Verdict(
                f"mixture on {arms} arms: at most Thompson's regret ({thompson[arms]:.2f})",
                show(mixture[str(arms)]),
                mixture[str(arms)]["mean"] <= thompson[arms],
            )
            for arms in TESTED
            if arms <= 12
        ]
        found += [
            Verdict(
                f"aim, mixture on {arms} arms: a third below Thompson ({thompson[arms]:.2f})",
                show(mixture[str(arms)]),
                mixture[str(arms)]["mean"] <= thompson[arms] * 2 / 3,
            )
            for arms in TESTED
            if arms >= 8
        ]
        return found
