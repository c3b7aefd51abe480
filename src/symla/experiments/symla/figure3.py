"""Figure 3: five two-armed bandits, trained on each and tested on each, SymLA and MetaRNN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import LearningAlgorithm, MetaRNN, SymLA
from symla.environments import make
from symla.experiments.figures import SEEDS, Verdict, claim_below, evolution
from symla.experiments.measures import hand_made_regrets, regret, show
from symla.experiments.recipes import Recipe
from symla.experiments.training_options import LEARNERS
from symla.rules.rule import Rule

BANDITS = ("uniform-independent", "uniform-dependent", "easy", "medium", "hard")
LENGTH = 100


@dataclass(frozen=True)
class Figure3:
    """N = 64 for both learners, as in the paper."""

    title = "learning to learn bandits: cumulative regret over 100 pulls, train x test"

    def recipes(self) -> dict[str, Recipe]:
        # The best settings of those tried, more of them for MetaRNN: docs/reproduction.md.
        algorithms: dict[str, tuple[LearningAlgorithm, float]] = {
            "symla": (SymLA(hidden_size=64), 0.02),
            "meta-rnn": (MetaRNN(64), 0.05),
        }
        recipes = {}
        for bandit in BANDITS:
            generations = 1200 if bandit == "uniform-independent" else 600  # the slowest to learn
            for learner, (algorithm, learning_rate) in algorithms.items():
                outer = evolution(128, 0.1, learning_rate, decay_steps=generations - 100)
                for seed in SEEDS:
                    recipes[f"{learner}-{bandit}-{seed}"] = Recipe(
                        algorithm, (make(f"bandit-{bandit}"),), outer, 16, LENGTH, generations, seed
                    )
        return recipes

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))
        matrix = {
            learner: {
                trained: {
                    tested: regret(
                        [rules[f"{learner}-{trained}-{seed}"] for seed in SEEDS],
                        f"bandit-{tested}",
                        lifetimes,
                        length,
                    )
                    for tested in BANDITS
                }
                for trained in BANDITS
            }
            for learner in LEARNERS
        }
        return {
            "kind": "matrix",
            "length": length,
            "matrix": matrix,
            "references": hand_made_regrets(
                [f"bandit-{name}" for name in BANDITS], lifetimes, length
            ),
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Differences from hand-made algorithms are paired, those from MetaRNN Welch's: both over
        meta-training seeds."""
        matrix, references = measured["matrix"], measured["references"]
        found = []
        for bandit in BANDITS:
            ours, theirs = (matrix[who][bandit][bandit] for who in LEARNERS)
            known = references[f"bandit-{bandit}"]
            thompson, best = known["thompson"], known["bayes-optimal"]
            bound = 1.5 * best.estimate.mean
            found += [
                claim_below(
                    f"{bandit}: SymLA ({show(ours.estimate)}) is below Thompson sampling "
                    f"({show(thompson.estimate)})",
                    ours.minus(thompson),
                ),
                claim_below(
                    f"{bandit}: SymLA ({show(ours.estimate)}) is below MetaRNN of the same size "
                    f"and budget ({show(theirs.estimate)})",
                    ours.beside(theirs),
                ),
                Verdict(
                    f"aim, {bandit}: at most 1.5 times Bayes-optimal ({show(best.estimate)})",
                    show(ours.estimate),
                    ours.estimate.mean <= bound,
                ),
            ]
        return found
