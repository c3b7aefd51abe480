"""What the figures of the MetaGenRL paper share, at sizes of minutes: worlds in JAX, recipes,
and what fresh agents learn by an objective."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import jax

from symla.algorithms import MetaGenRL
from symla.algorithms.metagenrl.learned import LearnedObjective
from symla.core.optimisers import Optimiser
from symla.evaluation.statistics import Estimate
from symla.experiments.kept_lives import earned
from symla.experiments.measures import Curve
from symla.experiments.recipes import Recipe
from symla.lifetimes.resolve import make
from symla.outer import ThroughCritic
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

FOLDER = "metagenrl"  # of the rules, which the figures share
SEEDS = (0, 1, 2, 3, 4)
TRAINED = {
    "navigation": "point-navigation,limit=1",
    "linear": "linear-system",
    "integrator": "double-integrator",
}
UNSEEN = {
    "arm": "arm",
    "unicycle": "unicycle",
    "Reacher": "gymnax:Reacher-misc",
    "Pendulum": "pendulum",
    "MountainCar": "mountain-car-continuous",
}
WORLDS = TRAINED | UNSEEN
IN_WHICH_AGENTS_LEARN = *TRAINED, "arm", "unicycle"  # within `STEPS` (docs/metagenrl.md)
SET = "three"  # what rules are called that were trained in all of `TRAINED`
# Until revision 9096714 half of the agents followed their critics throughout, by default. Figure 4
# and what mattered are of such trainings, called "all".
LED: dict[str, Any] = {"led": 0.5}
LED_SET = "all"
# Where checkpoints are scored: other sizes of what is trained on.
CHOOSING = "double-integrator,size=2", "linear-system,states=3,actions=2"
# Of 50 steps of 18 agents in 4 environments each: three minutes of a core. What follows after that
# is shown in the double integrator alone (figure 4), so trainings that are compared with each other
# are as short, and what is compared with other learners is as long as half an hour allows.
GENERATIONS, LONG = 120, 1_080
AGENTS = 8  # fresh ones, of each seed in each world
STEPS = 1_600  # of an agent, in each of its environments
TEST_SEED = 7_000  # of the tasks of meta-training seed 0; no training has such a seed

# In the agents that the learned objective teaches; what a person types as a rule.
OBJECTIVES = {
    "random objective": "follow-random,objective.seed={seed}",
    "advantage-weighted": "advantage-weighted",
    "REINFORCE, lambda 0": "reinforce-off-policy,objective.trace=0.0",
    "REINFORCE, lambda 0.9": "reinforce-off-policy,objective.trace=0.9",
    "REINFORCE, lambda 0.97": "reinforce-off-policy,objective.trace=0.97",
    "TD3's gradient": "follow-critic",
}


def rule_name(worlds: str, seed: int, generations: int = GENERATIONS) -> str:
    """Of the rule of a set of worlds; those of 360 generations came first and have no number."""
    return f"{worlds}-{seed}" if generations == 360 else f"{worlds}-{generations}-{seed}"


def recipe(
    worlds: Sequence[str],
    seed: int,
    generations: int = GENERATIONS,
    agents: Mapping[str, Any] = MappingProxyType({}),
    population: Mapping[str, Any] = MappingProxyType({}),
    **inputs: Any,
) -> Recipe:
    """A population in these of `TRAINED`; what differs from the default are settings of its
    `agents`, of the `population`, and of the objective, its `inputs`."""
    own = {"optimiser": Optimiser(2e-3, clip=1.0), "generations": generations, **population}
    return Recipe(
        MetaGenRL(objective=LearnedObjective(units=16, **inputs), **agents),
        tuple(make(TRAINED[world]) for world in worlds),
        ThroughCritic(**own),
        lifetimes=1,
        length=50,
        generations=generations,
        seed=seed,
        probes=tuple(map(make, CHOOSING)),
    )


def beside(algorithm: Any, name: str, seed: int) -> Rule:
    """The agents of that algorithm, with one of `OBJECTIVES`."""
    return in_agents(algorithm, hand_made(OBJECTIVES[name].format(seed=seed)))


def in_agents(agents: Any, rule: Rule) -> Rule:
    """The objective of that rule in those agents: how it was trained is not their business."""
    learner: Any = rule.algorithm
    return replace(rule, algorithm=replace(agents, objective=learner.objective))


@dataclass(frozen=True)
class Lessons:
    """Where fresh agents are taught, how many for each seed, and for how long."""

    worlds: Mapping[str, str]
    agents: int
    steps: int  # of an agent, in each of its environments
    workers: int  # of these: black boxes live in one environment, for as many steps

    def taught(self, rules: Sequence[Rule], world: str, scale: float = 1.0) -> Curve:
        """Reward a step over their lives, each rule's on the tasks of its seed."""
        rewards, edges = [], None
        for seed, rule in enumerate(rules):
            length = max(1, int(scale * self.steps / 50)) * 50
            length *= getattr(rule.algorithm, "workers", self.workers)
            where = make(self.worlds[world]), self.agents, length, TEST_SEED + seed
            reward, edges = earned(rule, *where)
            rewards.append(reward)
        assert edges is not None
        return Curve(rewards, edges)

    def panels(
        self, methods: Mapping[str, Sequence[Rule]], worlds: Iterable[str], scale: float
    ) -> dict[str, Any]:
        """What a figure of curves measures, by world, then by method."""
        found, length = {}, 0
        for world in worlds:
            found[world] = {who: self.taught(each, world, scale) for who, each in methods.items()}
            length = max(length, *(line.length for line in found[world].values()))
            jax.clear_caches()  # hundreds of compiled programs are more than a process can map
        return {
            "kind": "curves",
            "lifetimes": self.agents,
            "length": length,
            "panels": found,
        }


IN_JAX = Lessons(WORLDS, AGENTS, STEPS, MetaGenRL.workers)


def others(algorithm: Any, seeds: Sequence[int] = SEEDS) -> dict[str, list[Rule]]:
    """All of `OBJECTIVES` in those agents, once for each seed of the tasks."""
    return {name: list(map(partial(beside, algorithm, name), seeds)) for name in OBJECTIVES}


def gain(lines: Mapping[str, Curve], who: str, other: str) -> Estimate:
    """How much more reward a step over the whole life (the area under the curve), paired."""
    return lines[who].mean.minus(lines[other].mean)
