"""Figure 4: trained on a few numbers of arms, tested on others. Plus a mixture of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import SymLA
from symla.environments import IndependentBandit
from symla.evaluation.statistics import Estimate
from symla.experiments.figures import SEEDS, Verdict, claim_below, evolution
from symla.experiments.measures import hand_made_regrets, regret, show
from symla.experiments.recipes import Recipe
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
PAPER: dict[str, dict[int, float]] = {
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
        outer = evolution(256, 0.4, 0.05, decay_steps=1000)
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
            "references": hand_made_regrets(names, lifetimes, length),
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Over meta-training seeds; differences from Thompson sampling are paired."""
        matrix, known = measured["matrix"]["symla"], measured["references"]
        found = []
        for row, cells in PAPER.items():
            for arms, theirs in cells.items() if row != "2" else ():
                ours = matrix[row][str(arms)].estimate
                found.append(
                    Verdict(
                        f"trained on {row}, tested on {arms} arms: below the paper's {theirs}",
                        show(ours),
                        ours.high < theirs,
                    )
                )
        for arms in TESTED:
            ours, thompson = matrix["2 to 12"][str(arms)], known[f"bandit-arms-{arms}"]["thompson"]
            difference, level = ours.minus(thompson), thompson.estimate
            if arms <= 12:
                claim = f"mixture on {arms} arms ({show(ours.estimate)}): below Thompson's regret"
                found.append(claim_below(f"{claim} ({show(level)})", difference))
            if arms >= 8:
                third = Estimate(difference.mean + level.mean / 3, difference.ci95)
                claim = f"aim, mixture on {arms} arms: a third below Thompson ({show(level)})"
                found.append(Verdict(claim, show(ours.estimate), third.high <= 0))
        return found
