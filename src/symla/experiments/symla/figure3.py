"""Figure 3: five two-armed bandits, trained on each and tested on each, SymLA and MetaRNN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import MetaRNN, SymLA
from symla.environments import make
from symla.experiments.measures import overlap, regret, show
from symla.experiments.recipes import LEARNERS, SEEDS, Recipe, Verdict
from symla.outer import EvolutionStrategies
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

BANDITS = ("uniform-independent", "uniform-dependent", "easy", "medium", "hard")
LENGTH = 100


@dataclass(frozen=True)
class Figure3:
    """N = 64 for both learners, as in the paper."""

    title = "learning to learn bandits: cumulative regret over 100 pulls, train x test"

    def recipes(self) -> dict[str, Recipe]:
        # The best settings of those tried, more of them for MetaRNN: docs/reproduction.md.
        algorithms = {"symla": (SymLA(hidden_size=64), 0.02), "meta-rnn": (MetaRNN(64), 0.05)}
        recipes = {}
        for bandit in BANDITS:
            generations = 1200 if bandit == "uniform-independent" else 600  # the slowest to learn
            for learner, (algorithm, learning_rate) in algorithms.items():
                outer = EvolutionStrategies(128, 0.1, learning_rate, annealing=generations - 100)
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
            "references": references([f"bandit-{b}" for b in BANDITS], length, 4 * lifetimes),
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        matrix, references = measured["matrix"], measured["references"]
        found = []
        for bandit in BANDITS:
            ours, theirs = (matrix[who][bandit][bandit] for who in LEARNERS)
            known = references[f"bandit-{bandit}"]
            thompson, best = known["thompson"]["mean"], known["bayes-optimal"]["mean"]
            found += [
                Verdict(
                    f"{bandit}: SymLA is at least as good as Thompson sampling ({thompson:.2f})",
                    show(ours),
                    ours["mean"] <= thompson,
                ),
                Verdict(
                    f"{bandit}: SymLA is as good as MetaRNN ({show(theirs)})",
                    show(ours),
                    ours["mean"] <= theirs["mean"] or overlap(ours, theirs),
                ),
                Verdict(
                    f"aim, {bandit}: at most 1.5 times Bayes-optimal ({best:.2f})",
                    f"{ours['mean'] / best:.2f} times",
                    ours["mean"] <= 1.5 * best,
                ),
            ]
        return found


def references(environments: list[str], length: int, lifetimes: int) -> dict[str, Any]:
    """Regret of the hand-made rules, by environment and name."""
    found: dict[str, Any] = {}
    for environment in environments:
        bandit = make(environment)
        names = ["random", "ucb1", "thompson"]
        names += ["bayes-optimal"] if bandit.spec.action_size == 2 else []
        found[environment] = {
            name: regret([hand_made(name, bandit, length)], environment, lifetimes, length)
            for name in names
        }
    return found
