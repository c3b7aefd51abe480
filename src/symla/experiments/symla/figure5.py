"""Figure 5: classic control, plain and with observations and actions in another order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import MetaRNN, SymLA
from symla.environments import Control, Permuted
from symla.experiments.measures import above, curve, overlap, show
from symla.experiments.recipes import LEARNERS, SEEDS, Recipe, Verdict
from symla.outer import EvolutionStrategies
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

LENGTH = 500
LONG = 10  # times as long as trained on
TASKS = {
    "cartpole": Control("CartPole-v1"),
    "acrobot": Control("Acrobot-v1"),
    "mountain-car": Control("MountainCar-v0"),
}
# Nobody reaches the car's goal by chance, so it is trained with the change of energy as reward,
# and tested, like the others, without.
TRAINED = {**TASKS, "mountain-car": Control("MountainCar-v0", shaping=1.0)}


@dataclass(frozen=True)
class Figure5:
    """Both learners have the same budget, settings of the search, rewards and scaled inputs."""

    title = "classic control: reward over the lifetime, plain and permuted"

    def recipes(self) -> dict[str, Recipe]:
        learners = {"symla": SymLA(), "meta-rnn": MetaRNN(64)}
        # Wide perturbations find how to swing up; in CartPole they end in a rule that only
        # alternates its actions.
        narrow = EvolutionStrategies(128, 0.05, 0.02)
        wide = EvolutionStrategies(128, 0.2, 0.05, annealing=400)
        outer = {"cartpole": narrow, "acrobot": wide, "mountain-car": wide}
        # Ours, not the paper's: one rule for all three, from the one that can balance.
        all_three = {
            f"symla-control-{seed}": Recipe(
                SymLA(), tuple(TRAINED.values()), EvolutionStrategies(128, 0.1, 0.02), 4, LENGTH,
                900, seed, start=f"symla-cartpole-{seed}",
            )
            for seed in SEEDS
        }  # fmt: skip
        return all_three | {
            f"{learner}-{task}-{seed}": Recipe(
                learners[learner], (environment,), outer[task], 4, LENGTH, 600, seed
            )
            for task, environment in TRAINED.items()
            for learner in LEARNERS
            for seed in SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))
        panels: dict[str, Any] = {}
        for task, environment in TASKS.items():
            lines = panels[task] = {}
            for learner in LEARNERS:
                trained = [rules[f"{learner}-{task}-{seed}"] for seed in SEEDS]
                lines[learner] = curve(trained, environment, lifetimes, length)
                lines[f"{learner}, permuted"] = curve(
                    trained, Permuted(environment), lifetimes, length
                )
            nobody = [hand_made("random", environment)]
            lines["random"] = curve(nobody, environment, lifetimes, length)
            lines["symla, trained on all three"] = curve(
                [rules[f"symla-control-{seed}"] for seed in SEEDS], environment, lifetimes, length
            )
            trained = [rules[f"symla-{task}-{seed}"] for seed in SEEDS]
            lines["symla, 10 times as long"] = curve(trained, environment, lifetimes, LONG * length)
        return {"kind": "curves", "length": length, "panels": panels}

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        found = []
        for task, lines in measured["panels"].items():
            returns = {who: line["return"] for who, line in lines.items()}
            ours, permuted = returns["symla"], returns["symla, permuted"]
            theirs, broken = returns["meta-rnn"], returns["meta-rnn, permuted"]
            found += [
                Verdict(
                    f"{task}: SymLA does not care for the order ({show(ours)})",
                    show(permuted),
                    overlap(ours, permuted),
                ),
                Verdict(
                    f"{task}: MetaRNN falls when permuted ({show(theirs)})",
                    show(broken),
                    broken["mean"] + broken["ci95"] < theirs["mean"] - theirs["ci95"],
                ),
                Verdict(
                    f"{task}: SymLA is clearly above random ({show(returns['random'])})",
                    show(ours),
                    above(ours, returns["random"]["mean"] + returns["random"]["ci95"]),
                ),
                Verdict(
                    f"aim, {task}: SymLA ends where MetaRNN does "
                    f"({show(lines['meta-rnn']['last_fifth'], 4)} a step)",
                    show(lines["symla"]["last_fifth"], 4),
                    lines["symla"]["last_fifth"]["mean"] >= lines["meta-rnn"]["last_fifth"]["mean"]
                    or overlap(lines["symla"]["last_fifth"], lines["meta-rnn"]["last_fifth"]),
                ),
            ]
        last = measured["panels"]["cartpole"]["symla"]["last_fifth"]
        failures = -last["mean"] * measured["length"] / 5
        found.append(
            Verdict(
                "cartpole: SymLA fails at most 1.5 times in the last fifth (random: 4.4)",
                f"{failures:.2f}",
                failures <= 1.5,
            )
        )
        return found
