"""Figure 7: trained on a grid world, tested on balancing a pole; observations are projected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import LearningAlgorithm, MetaRNN, SymLA
from symla.core.optimisers import Optimiser
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
from symla.experiments.figures import MORE_SEEDS, SEEDS, Verdict, claim_above, evolution
from symla.experiments.measures import PARTS, Curve, show, without
from symla.experiments.recipes import Recipe
from symla.outer import Teacher
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

LENGTH = 500
LONG = 10  # times as long
MARGIN = 0.01  # reward a step: what counts as no better than random play
# The second distribution is ours: rewards of another scale, offset and delay each lifetime, so
# that the grid's own rewards cannot be learned by heart.
TRAINED: dict[str, Environment] = {
    "target": Projected(Target()),
    "varied": Projected(Rewards(Target(), scale=(0.22, 1.65), shift=(-1.0, 1.0), delay=3)),
}
# A third, for a teacher: smaller grids, of which 16 numbers can show all that there is to see.
SMALLER = tuple(
    Projected(Rewards(grid, scale=(0.22, 1.65), shift=(-1.0, 1.0), delay=1))
    for grid in (Target(2, 0, 10), Target(3, 0, 12), Target(3, 2, 12))
)
GENERATIONS = 3600  # by the teacher, over lives of 1,024 steps that go on
TAUGHT = "taught"
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
    """The paper's distribution, and beside it one of ours, by evolution strategies; and smaller
    grids by a teacher."""

    title = "from a grid world to balancing a pole: reward a step relative to random play"

    def recipes(self) -> dict[str, Recipe]:
        outer = evolution(128, 0.05, 0.02)
        evolved = {
            f"{learner}-{trained}-{seed}": Recipe(
                algorithm, (environment,), outer, 4, 200, 300, seed
            )
            for trained, environment in TRAINED.items()
            for learner, algorithm in LEARNERS.items()
            for seed in SEEDS
        }
        falling = Optimiser(0.01, clip=1.0, decay_steps=GENERATIONS, decay_to=0.1)
        teacher = Teacher(4, falling, horizon=32, lifetime=1024)
        taught = {
            f"{learner}-{TAUGHT}-{seed}": Recipe(
                algorithm, SMALLER, teacher, 16, teacher.horizon, GENERATIONS, seed
            )
            for learner, algorithm in LEARNERS.items()
            for seed in MORE_SEEDS
        }
        return evolved | taught

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))
        panels: dict[str, Any] = {}
        for task, environment in {**TESTED, **UNNAMED}.items():
            lines = panels[task] = {}
            random = [hand_made("random", environment)]
            lines["random"] = Curve.of(random, environment, lifetimes, length)
            learners = LEARNERS if task in TESTED else ("symla",)
            for learner in learners:
                for trained in (*TRAINED, TAUGHT):
                    who = f"{learner}, {trained}"
                    found = _rules(rules, learner, trained)
                    lines[who] = Curve.of(found, environment, lifetimes, length)
        few = max(2, lifetimes // 8)
        for task, environment in TESTED.items():
            for trained in ("varied", TAUGHT):
                panels[task][f"symla, {trained}, 10 times as long"] = Curve.of(
                    _rules(rules, "symla", trained), environment, few, LONG * length
                )
            for part, name in PARTS.items():
                blind = without(_rules(rules, "symla", TAUGHT), environment, part)
                panels[task][f"symla, {TAUGHT}, without {name}"] = Curve.of(
                    blind, environment, lifetimes, length
                )
        return {
            "kind": "curves",
            "length": length,
            "panels": panels,
            "not_drawn": [f"symla, {TAUGHT}, without {name}" for name in PARTS.values()],
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Over meta-training seeds, paired with random play on the same tasks."""
        panels, length = measured["panels"], measured["length"]

        def gain(task: str, who: str) -> Estimate:
            """Reward a step above random play."""
            found = panels[task][who].total.minus(panels[task]["random"].total)
            return Estimate(found.mean / length, found.ci95 / length)

        found = []
        for trained in (*TRAINED, TAUGHT):
            for task in TESTED:
                claim = f"SymLA trained on {trained} is above random on {task}"
                found.append(claim_above(claim, gain(task, f"symla, {trained}"), 4))
            theirs = gain("balance", f"meta-rnn, {trained}")
            claim = f"MetaRNN trained on {trained} is at most 0.01 a step above random on balance"
            found.append(Verdict(claim, show(theirs, 4), theirs.high < MARGIN))
        ours = panels["balance"][f"symla, {TAUGHT}"]
        claim = "SymLA, taught, improves within the lifetime on balance"
        found.append(claim_above(claim, ours.last.minus(ours.first), 4))
        for name in PARTS.values():
            lost = ours.total.minus(panels["balance"][f"symla, {TAUGHT}, without {name}"].total)
            a_step = Estimate(lost.mean / length, lost.ci95 / length)
            claim = f"without {name} SymLA, taught, earns less on balance (a step)"
            found.append(claim_above(claim, a_step, 4))
        for task in UNNAMED:
            for trained in ("varied", TAUGHT):
                line = panels[task][f"symla, {trained}"]
                claim = f"aim: SymLA, {trained}, improves within a lifetime on {task}, never seen"
                found.append(claim_above(claim, line.last.minus(line.first), 4))
        return found


def _rules(rules: Mapping[str, Rule], learner: str, trained: str) -> list[Rule]:
    seeds = MORE_SEEDS if trained == TAUGHT else SEEDS
    return [rules[f"{learner}-{trained}-{seed}"] for seed in seeds]
