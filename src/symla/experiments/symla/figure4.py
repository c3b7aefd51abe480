"""Figure 4: trained on a few numbers of arms, tested on others. Plus a mixture of ours.

By evolution strategies, as in the paper, and by PPO over lifetimes, in a fraction of the pulls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import SymLA
from symla.environments import IndependentBandit
from symla.experiments.figures import (
    MORE_SEEDS,
    SEEDS,
    Verdict,
    claim_below,
    evolution,
    lifetime_ppo,
)
from symla.experiments.measures import Measured, hand_made_regrets, regret, show
from symla.experiments.recipes import Recipe
from symla.outer import OuterLoop
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


SEEDS_OF = {"symla": SEEDS, "symla-ppo": MORE_SEEDS}
ROWS = {"symla": tuple(TRAINED), "symla-ppo": ("2", "8", "2 to 12")}
SAID = {"symla": "", "symla-ppo": "by PPO, "}


def rule_name(learner: str, trained: str, seed: int) -> str:
    """Of the rule of one line of the figure."""
    return f"{learner}-{trained.replace(' ', '-')}-{seed}"


def outer_loop(learner: str) -> tuple[OuterLoop, int, int, int]:
    """How it is trained: lifetimes of each candidate, their length, and how many generations."""
    if learner == "symla":
        return evolution(256, 0.4, 0.05, decay_steps=1000), 8, LENGTH, 1200
    return lifetime_ppo(600), 16, LENGTH, 600


@dataclass(frozen=True)
class Figure4:
    """N = 16: smaller than the paper's 64, and enough."""

    title = "generalisation to other numbers of arms: regret over 100 pulls, train x test"

    def recipes(self) -> dict[str, Recipe]:
        return {
            rule_name(learner, trained, seed): Recipe(
                SymLA(), tuple(map(IndependentBandit, TRAINED[trained])), *outer_loop(learner), seed
            )
            for learner, seeds in SEEDS_OF.items()
            for trained in ROWS[learner]
            for seed in seeds
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))

        def cell(learner: str, trained: str, arms: int) -> Measured:
            found = [rules[rule_name(learner, trained, seed)] for seed in SEEDS_OF[learner]]
            return regret(found, IndependentBandit(arms), lifetimes, length)

        matrix = {
            learner: {
                trained: {str(arms): cell(learner, trained, arms) for arms in TESTED}
                for trained in ROWS[learner]
            }
            for learner in SEEDS_OF
        }
        names = [f"bandit-arms-{arms}" for arms in TESTED]
        return {
            "kind": "matrix",
            "length": length,
            "matrix": matrix,
            "paper": {row: {str(k): v for k, v in cells.items()} for row, cells in PAPER.items()},
            "references": hand_made_regrets(names, lifetimes, length),
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Over meta-training seeds; differences from Thompson sampling are paired."""
        known = measured["references"]
        found = []
        for learner, matrix in measured["matrix"].items():
            for row in (row for row in PAPER if row in matrix and row != "2"):
                for arms, theirs in PAPER[row].items():
                    ours = matrix[row][str(arms)].estimate
                    claim = f"{SAID[learner]}trained on {row}, tested on {arms} arms: below the "
                    claim += f"paper's {theirs}"
                    found.append(Verdict(claim, show(ours), ours.high < theirs))
            for arms in TESTED:
                ours = matrix["2 to 12"][str(arms)]
                thompson = known[f"bandit-arms-{arms}"]["thompson"]
                difference, level = ours.minus(thompson), thompson.estimate
                who = f"{SAID[learner]}mixture on {arms} arms"
                claim = f"{who} ({show(ours.estimate)}): below Thompson's regret ({show(level)})"
                found.append(claim_below(claim, difference))
                third = ours.minus(thompson.times(2 / 3))
                claim = f"aim, {who} ({show(ours.estimate)}): a third below Thompson's regret "
                claim += f"({show(level)}), difference from two thirds"
                found.append(claim_below(claim, third))
        return found
