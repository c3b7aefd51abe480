"""CartPole-v1 as Gymnasium makes it: raw observations, and a reward of 1 in every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from symla.algorithms import LearningAlgorithm, MetaRNN, SymLA
from symla.environments import Gymnax, Permuted
from symla.evaluation.statistics import Estimate
from symla.experiments.figures import MORE_SEEDS, Verdict, claim_above, claim_below, lifetime_ppo
from symla.experiments.measures import PARTS, Curve, show, without
from symla.experiments.recipes import Recipe
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

WORLD = Gymnax("CartPole-v1")  # Gymnasium's, in JAX
LENGTH, TRAINED_LENGTH = 2000, 500
GENERATIONS, DISCOUNT = 100, 0.98
LEARNERS: dict[str, LearningAlgorithm] = {"symla": SymLA(), "meta-rnn": MetaRNN(64)}
FEW, MOST = 5, 15  # episodes that may end in the last 500 steps, and in 1,000 of any lifetime


@dataclass(frozen=True)
class AsMade:
    """Ours, not the paper's. What is counted are episodes that end: by a fall, or after 500 steps.

    Both learners by episodic PPO over lifetimes: the sum of rewards is the same for all."""

    title = "CartPole-v1 as Gymnasium makes it"

    def recipes(self) -> dict[str, Recipe]:
        outer = replace(lifetime_ppo(GENERATIONS, DISCOUNT), episodic=True)
        return {
            f"{learner}-{seed}": Recipe(
                algorithm, (WORLD,), outer, 8, TRAINED_LENGTH, GENERATIONS, seed
            )
            for learner, algorithm in LEARNERS.items()
            for seed in MORE_SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(10, int(LENGTH * scale))
        lines = {"random": Curve.of(hand_made("random", WORLD), WORLD, lifetimes, length, "ends")}
        for learner in LEARNERS:
            own = [rules[f"{learner}-{seed}"] for seed in MORE_SEEDS]
            lines[learner] = Curve.of(own, WORLD, lifetimes, length, "ends")
            lines[f"{learner}, permuted"] = Curve.of(
                own, Permuted(WORLD), lifetimes, length, "ends"
            )
        ours = [rules[f"symla-{seed}"] for seed in MORE_SEEDS]
        for part, name in PARTS.items():
            blind = without(ours, WORLD, part)
            lines[f"symla, without {name}"] = Curve.of(blind, WORLD, lifetimes, length, "ends")
        return {
            "kind": "curves",
            "measure": "episodes that end, a step",
            "length": length,
            "panels": {"cartpole": lines},
            "not_drawn": [f"symla, without {name}" for name in PARTS.values()],
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Over meta-training seeds."""
        lines = measured["panels"]["cartpole"]
        ours, permuted, random = (lines[who] for who in ("symla", "symla, permuted", "random"))
        last = ours.within(slice(-1, None), 4).estimate
        most = [float(x.max()) for x in ours.within(slice(0, 2), 4).samples]
        difference = permuted.mean.minus(ours.mean)
        found = [
            Verdict(
                f"at most {FEW} episodes end in the last quarter, 500 steps "
                f"(random {show(random.within(slice(-1, None), 4).estimate)})",
                show(last),
                last.high <= FEW,
            ),
            Verdict(
                f"in no lifetime more than {MOST} end in the first half, 1,000 steps",
                f"the most of each seed: {', '.join(f'{x:.0f}' for x in most)}",
                max(most) <= MOST,
            ),
            claim_below(
                "it improves within the lifetime: fewer end in the last fifth than in the first",
                ours.last.minus(ours.first),
                4,
            ),
            Verdict(
                "SymLA is the same permuted, within a tenth of what it gains on random play",
                f"difference {show(difference, 4)} a step",
                _within(difference, 0.1 * (random.mean.estimate.mean - ours.mean.estimate.mean)),
            ),
            claim_above(
                "MetaRNN falls more often when permuted",
                lines["meta-rnn, permuted"].mean.minus(lines["meta-rnn"].mean),
                4,
            ),
        ]
        for name in PARTS.values():
            more = lines[f"symla, without {name}"].mean.minus(ours.mean)
            found.append(claim_above(f"without {name} more episodes end (a step)", more, 4))
        return found


def _within(difference: Estimate, margin: float) -> bool:
    return abs(difference.mean) + difference.ci95 < margin
