"""Biased arms: in training the first arm pays most in nine of ten tasks, then the second one does.

The example by which the SymLA paper explains why a rule should have symmetries (its section 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import LearningAlgorithm, MetaRNN, SymLA
from symla.core.optimisers import Optimiser
from symla.environments import BiasedBandit
from symla.experiments.figures import Verdict, claim_above, claim_below
from symla.experiments.measures import regret, show
from symla.experiments.recipes import Recipe
from symla.outer import PolicyGradient
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

SEEDS = (0, 1, 2, 3, 4)
MARGIN = 0.1  # of what SymLA gains on random play: a smaller difference counts as none
LENGTH = 100
GENERATIONS = 1_500  # of 8 x 16 lifetimes: 1.9e7 pulls, for both
LEARNERS: dict[str, LearningAlgorithm] = {"symla": SymLA(), "meta-rnn": MetaRNN(64)}
TRAINED = "first arm"
TESTED = {
    TRAINED: BiasedBandit(favoured=0),
    "second arm": BiasedBandit(favoured=1),
    "neither": BiasedBandit(bias=0.5),
}
TURNED = "second arm"
# The best of six on uniform-independent arms: intervals 2 and 5, rates 0.03, 0.1 and 0.3.
REINFORCE = "reinforce,units=(8,),interval=2,discount=0,trace=0,value_updates=1"
REINFORCE += ",policy_optimizer.learning_rate=0.1,value_optimizer.learning_rate=0.1"
HAND_MADE = {"random": "random", "thompson": "thompson", "reinforce": REINFORCE}


@dataclass(frozen=True)
class BiasedArms:
    """Both learners by the outer loop that suits MetaRNN, with the same budget."""

    title = "trained where the first arm is better in nine of ten tasks: regret over 100 pulls"

    def recipes(self) -> dict[str, Recipe]:
        optimiser = Optimiser(0.004, clip=1.0, decay_steps=GENERATIONS)
        outer = PolicyGradient(8, optimiser, discount=0.8, entropy=0.03, horizon=0)
        return {
            f"{learner}-{seed}": Recipe(
                algorithm, (TESTED[TRAINED],), outer, 16, LENGTH, GENERATIONS, seed
            )
            for learner, algorithm in LEARNERS.items()
            for seed in SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))
        return {
            "kind": "matrix",
            "length": length,
            "matrix": {
                learner: {
                    TRAINED: {
                        name: regret(
                            [rules[f"{learner}-{seed}"] for seed in SEEDS],
                            bandit,
                            lifetimes,
                            length,
                        )
                        for name, bandit in TESTED.items()
                    }
                }
                for learner in LEARNERS
            },
            "references": {
                name: {
                    who: regret(hand_made(rule), bandit, lifetimes, length)
                    for who, rule in HAND_MADE.items()
                }
                for name, bandit in TESTED.items()
            },
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Over meta-training seeds; differences are paired by tasks."""
        ours, theirs = (measured["matrix"][who][TRAINED] for who in LEARNERS)
        known = measured["references"][TRAINED]
        random, thompson, reinforce = (known[who] for who in HAND_MADE)
        change = ours[TURNED].minus(ours[TRAINED])
        margin = MARGIN * abs(ours[TRAINED].minus(random).mean)
        return [
            claim_below(
                f"MetaRNN has learned the arm: its regret ({show(theirs[TRAINED].estimate)}) is "
                f"below random play's ({show(random.estimate)}); the first arm always has "
                f"{measured['length'] / 30:.2f}, a tenth of the mean distance of two payouts",
                theirs[TRAINED].minus(random),
            ),
            claim_below(
                f"it is below Thompson sampling ({show(thompson.estimate)})",
                theirs[TRAINED].minus(thompson),
            ),
            claim_above(
                f"and fails where the other arm is better ({show(theirs[TURNED].estimate)})",
                theirs[TURNED].minus(theirs[TRAINED]),
            ),
            Verdict(
                f"SymLA does not care ({show(ours[TRAINED].estimate)}, "
                f"{show(ours[TURNED].estimate)}): the difference is less than a tenth of what it "
                f"gains on random play ({margin:.2f})",
                f"difference {show(change)}",
                abs(change.mean) + change.ci95 < margin,
            ),
            claim_above(
                "where the other arm is better SymLA is below MetaRNN",
                theirs[TURNED].beside(ours[TURNED]),
            ),
            claim_below(
                f"SymLA is below REINFORCE ({show(reinforce.estimate)})",
                ours[TRAINED].minus(reinforce),
            ),
        ]
