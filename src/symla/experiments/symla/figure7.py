"""Figure 7: trained on a grid world, tested on balancing a pole; observations are projected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import LearningAlgorithm, MetaRNN, SymLA
from symla.environments import (
    Balance,
    Control,
    Environment,
    Gymnax,
    MoreActions,
    Projected,
    Rewards,
    Target,
)
from symla.evaluation.statistics import Estimate
from symla.experiments.figures import SEEDS, Verdict, claim_above, evolution
from symla.experiments.measures import Curve, show
from symla.experiments.recipes import Recipe
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

LENGTH = 500
LONG = 10  # times as long
FEWER = 8  # times fewer lifetimes of those
MARGIN = 0.01  # reward a step: what counts as no better than random play
# The second distribution is ours: rewards of another scale, offset and delay each lifetime, so
# that the grid's own rewards cannot be learned by heart.
TRAINED: dict[str, Environment] = {
    "target": Projected(Target()),
    "varied": Projected(Rewards(Target(), scale=(0.22, 1.65), shift=(-1.0, 1.0), delay=3)),
}
LEARNERS: dict[str, LearningAlgorithm] = {"symla": SymLA(), "meta-rnn": MetaRNN(64)}
# Four actions everywhere, because MetaRNN is bound to the number it was trained with.
TESTED: dict[str, Environment] = {
    "target": Projected(Target()),
    "balance": Projected(MoreActions(Balance())),
}
# Never named in training or choosing anything: does a rule also learn there?
UNNAMED: dict[str, Environment] = {
    "catch": Projected(Gymnax("Catch-bsuite")),
    "cartpole": Projected(Control("CartPole-v1")),
    "acrobot": Projected(Control("Acrobot-v1")),
}


@dataclass(frozen=True)
class Figure7:
    """The paper's distribution, and beside it one of ours."""

    title = "from a grid world to balancing a pole: reward a step relative to random play"

    def recipes(self) -> dict[str, Recipe]:
        outer = evolution(128, 0.05, 0.02)
        return {
            f"{learner}-{trained}-{seed}": Recipe(
                algorithm, (environment,), outer, 4, 200, 300, seed
            )
            for trained, environment in TRAINED.items()
            for learner, algorithm in LEARNERS.items()
            for seed in SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))
        panels: dict[str, Any] = {}
        for task, environment in {**TESTED, **UNNAMED}.items():
            lines = panels[task] = {}
            random = hand_made("random", environment)
            lines["random"] = Curve.of(random, environment, lifetimes, length)
            learners = LEARNERS if task in TESTED else ("symla",)
            for learner in learners:
                for trained in TRAINED:
                    who = f"{learner}, {trained}"
                    found = [rules[f"{learner}-{trained}-{seed}"] for seed in SEEDS]
                    lines[who] = Curve.of(found, environment, lifetimes, length)
        long = [rules[f"symla-varied-{seed}"] for seed in SEEDS]
        for task, environment in TESTED.items():
            panels[task]["symla, varied, 10 times as long"] = Curve.of(
                long, environment, max(2, lifetimes // FEWER), LONG * length
            )
        return {"kind": "curves", "length": length, "panels": panels}

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Over meta-training seeds, paired with random play on the same tasks."""
        panels, length = measured["panels"], measured["length"]

        def gain(task: str, who: str) -> Estimate:
            """Reward a step above random play."""
            found = panels[task][who].total.minus(panels[task]["random"].total)
            return Estimate(found.mean / length, found.ci95 / length)

        found = []
        for trained in TRAINED:
            for task in TESTED:
                claim = f"SymLA trained on {trained} is above random on {task}"
                found.append(claim_above(claim, gain(task, f"symla, {trained}"), 4))
            theirs = gain("balance", f"meta-rnn, {trained}")
            claim = f"MetaRNN trained on {trained} is at most 0.01 a step above random on balance"
            found.append(Verdict(claim, show(theirs, 4), theirs.high < MARGIN))
        for task in UNNAMED:
            line = panels[task]["symla, varied"]
            claim = f"aim: SymLA improves within a lifetime on {task}, never named in training"
            found.append(claim_above(claim, line.last.minus(line.first), 4))
        return found
