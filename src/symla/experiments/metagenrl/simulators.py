"""Table 2 in the paper's simulators: at sizes of half an hour a training, or as published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from symla.algorithms import DDPG, PPO, TD3, MetaGenRL, Reinforce
from symla.experiments.figures import Verdict, claim_above
from symla.experiments.measures import show
from symla.experiments.metagenrl.lessons import Lessons, gain, others
from symla.experiments.metagenrl.table2 import PAPERS_REINFORCE, REINFORCES
from symla.experiments.recipes import Recipe
from symla.lifetimes.resolve import make
from symla.outer import ThroughCritic
from symla.rules.loading import with_preset
from symla.rules.rule import Rule

SIMULATORS = {
    "Cheetah": "gymnasium:HalfCheetah-v5",
    "Hopper": "gymnasium:Hopper-v5",
    "Lunar": "gymnasium:LunarLanderContinuous-v3",
}
# How many meta-training seeds each set has. Claims are about the first; the others are drawn.
SETS: dict[tuple[str, ...], int] = {
    ("Cheetah", "Lunar"): 5,
    ("Lunar",): 3,
    ("Cheetah", "Hopper"): 1,
    ("Hopper", "Lunar"): 1,
    ("Hopper",): 1,
}
CLAIMED = ("Cheetah", "Lunar")
LENGTH = 50  # steps of a generation


@dataclass(frozen=True)
class SimulatorsTable2:
    """Smaller than the paper's, and all of our measures: 64 units, 16 chunks, 8 places whose agents
    are born again every 10,000 of 100,000 steps."""

    title = "fresh agents in simulators: reward a step over their lives"
    preset: ClassVar[str] = "simulators"
    steps: ClassVar[int] = 100_000  # of an agent, in meta-training and in a test
    agents: ClassVar[int] = 2  # fresh ones, of each seed in each simulator

    @property
    def rules_in(self) -> str:
        return f"metagenrl-{self.preset}"

    def recipes(self) -> dict[str, Recipe]:
        found, generations = {}, self.steps // LENGTH
        algorithm = with_preset(MetaGenRL(), {"preset": self.preset}, "metagenrl")
        outer = with_preset(ThroughCritic(), {"preset": self.preset}, "through-critic")
        if self.preset != "paper":  # whose rate is constant
            outer = replace(outer, generations=generations)
        for worlds, seeds in SETS.items():
            where = tuple(make(SIMULATORS[world]) for world in worlds)
            for seed in range(seeds):
                found[f"{_name(worlds)}-{seed}"] = Recipe(
                    algorithm, where, outer, 1, LENGTH, generations, seed
                )
        return found

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        methods = {
            _line(worlds): [rules[f"{_name(worlds)}-{seed}"] for seed in range(seeds)]
            for worlds, seeds in SETS.items()
        }
        algorithm: Any = rules[f"{_name(CLAIMED)}-0"].algorithm
        seeds = range(SETS[CLAIMED])
        methods |= others(algorithm, seeds)
        units = {"units": algorithm.units}
        for name, kind in {
            "REINFORCE on policy": Reinforce,
            "PPO": PPO,
            "TD3": TD3,
            "DDPG": DDPG,
        }.items():
            methods[name] = [Rule(kind(**units), (), {})] * len(seeds)
        lessons = Lessons(SIMULATORS, self.agents, self.steps, algorithm.workers)
        return lessons.panels(methods, SIMULATORS, scale)

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Of the set with five seeds, paired over them; the area under the curve."""
        found = []
        for world, own in measured["panels"].items():
            seen = "trained on" if world in CLAIMED else "never seen"
            best = max(REINFORCES, key=lambda name: own[name].mean.estimate.mean)
            beside = (
                "random objective",
                "advantage-weighted",
                PAPERS_REINFORCE,
                best,
                "REINFORCE on policy",
            )
            for other in dict.fromkeys((*beside, "PPO")):
                known = ", its best" if other == best else ""
                claim = (
                    f"{world} ({seen}): {_line(CLAIMED)} teaches more than {other}{known} "
                    f"({show(own[other].mean.estimate)})"
                )
                found.append(claim_above(claim, gain(own, _line(CLAIMED), other)))
        return found


@dataclass(frozen=True)
class PublishedTable2(SimulatorsTable2):
    """As published: 350 units, 100 chunks, 20 agents that live for a million steps."""

    preset = "paper"
    steps = 1_000_000
    agents = 1


def _name(worlds: tuple[str, ...]) -> str:
    return "-".join(worlds).lower()


def _line(worlds: tuple[str, ...]) -> str:
    return f"learned, {' & '.join(worlds)}"
