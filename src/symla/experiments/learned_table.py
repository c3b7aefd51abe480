"""How well what was meta-trained teaches fresh agents, beside what else could teach them.

    python -m symla.experiments.learned_table metagenrl|lpg|epg RUN [RUN ...] [--json FILE]
        [--families ENVIRONMENT ...] [--agents N] [--steps N]

Each run is a meta-training with a seed of its own; what it learned, and everything beside it,
teaches fresh agents on the same tasks, which no training and no choice has seen. Differences are
paired by run, and their intervals are Student's t over runs. FILE is written after each family;
what it already has of hand-made learners, with the same settings, is not measured again.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symla.core.errors import require
from symla.evaluation.objective_explanation import reached
from symla.evaluation.statistics import estimate
from symla.experiments.metagenrl.lessons import (
    AGENTS,
    OBJECTIVES,
    STEPS,
    TEST_SEED,
    TRAINED,
    beside,
)
from symla.lifetimes.host import spec_of
from symla.lifetimes.resolve import make
from symla.rules.loading import hand_made, load
from symla.rules.rule import Rule
from symla.runtime.machine import prepare_jax
from symla.store import read_json, write_json

# What stands beside a rule in an environment, for the run of that number.
Other = Callable[[Rule, Any, int], Rule]


def in_the_same_agents(name: str, rule: Rule, world: Any, run: int) -> Rule:
    """That of `lessons.OBJECTIVES`."""
    return beside(rule.algorithm, name, run)


def by_itself(name: str, rule: Rule, world: Any, run: int) -> Rule:
    """Another learner."""
    return hand_made(name)


def untrained(rule: Rule, world: Any, run: int) -> Rule:
    """The meta-parameters that a training begins with."""
    params = rule.algorithm.init_params(jax.random.key(TEST_SEED + run), spec_of(world))
    return replace(rule, params=params)


def nothing(rule: Rule, world: Any, run: int) -> Rule:
    """Meta-parameters of 0: of a loss without slope, by which nothing is learned."""
    return replace(rule, params=jax.tree.map(jnp.zeros_like, rule.params))


@dataclass(frozen=True)
class LearnedComparison:
    """Of one learning algorithm: where, with what, and for how long.

    `others` are those whose names say what they are.
    """

    learned: str  # what to call what was meta-trained
    trained_on: tuple[str, ...]
    never_seen: tuple[str, ...]
    others: Mapping[str, Other]
    agents: int  # fresh ones, of each, in each family, for each run
    steps: int  # of an agent, in each of its environments

    @property
    def families(self) -> tuple[str, ...]:
        return *self.trained_on, *self.never_seen


METAGENRL = LearnedComparison(
    learned="learned objective",
    trained_on=tuple(TRAINED.values()),
    never_seen=("arm", "unicycle", "pendulum"),
    others={name: partial(in_the_same_agents, name) for name in OBJECTIVES},
    agents=AGENTS,
    steps=STEPS,
)
# One step of Adam down PPO's loss for each rollout is the advantage actor-critic (A2C).
A2C = (
    "ppo,units=(64,),interval=20,workers=32,batch=640,epochs=1,entropy_weight=0.01,"
    "optimizer.learning_rate={rate}"
)
LPG = LearnedComparison(
    learned="learned rule",
    trained_on=("random-grids,size=4",),
    never_seen=(
        "random-grids,size=6",
        "random-grids,size=4,kinds=('longer',)",
        "random-grids,size=4,kinds=('long-dense',)",
        "delayed-chain",
        "delayed-chain,length=20,noise=true",
    ),
    others={"untrained": untrained}
    | {
        f"A2C, rate {rate}": partial(by_itself, A2C.format(rate=rate))
        for rate in (0.01, 0.03)  # 0.001 and 0.003 were below in all that was looked at
    },
    agents=8,
    steps=1_200,
)
EPG = LearnedComparison(
    learned="evolved loss",
    trained_on=("point-navigation,episode_length=20,limit=2",),
    never_seen=(),
    others={"random loss": untrained, "no learning": nothing},
    agents=64,
    steps=600,
)
COMPARISONS = {"metagenrl": METAGENRL, "lpg": LPG, "epg": EPG}


def measure(rule: Rule, family: str, seed: int, agents: int, steps: int) -> dict[str, float]:
    """Mean reward a step of fresh agents: over all of their lives, and over the last tenth."""
    algorithm: Any = rule.algorithm  # one that learns from rollouts
    length = steps * algorithm.workers
    whole, end = reached(algorithm, rule.params, make(family), agents, length, seed)
    return {"whole": float(whole.mean()), "end": float(end.mean())}


def table(
    rules: Sequence[Rule],
    comparison: LearnedComparison,
    known: Mapping[str, Any] = MappingProxyType({}),
    families: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """By family, then by teacher: what was measured for each of the rules, in their order; after
    each family: all of the comparison's, or `families` alone. `known` is what was measured before
    of others, in the same form."""
    found: dict[str, Any] = {}
    for family in families or comparison.families:
        world = make(family)
        own: dict[str, list[dict[str, float]]] = {}
        before = known.get(family, {})
        for number, rule in enumerate(rules):
            where = family, TEST_SEED + number, comparison.agents, comparison.steps
            own.setdefault(comparison.learned, []).append(measure(rule, *where))
            for name, other in comparison.others.items():
                kept = before.get(name, [])[number : number + 1]
                measured = kept or [measure(other(rule, world, number), *where)]
                own.setdefault(name, []).extend(measured)
        found[family] = own
        jax.clear_caches()  # hundreds of compiled programs are more than a process can map
        print("\n".join(lines(family, own)), flush=True)
        yield found


def lines(family: str, own: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    """Of one family: means over runs, and how much more what was learned, which comes first,
    reaches."""
    said, first = [family], next(iter(own))
    for name, each in own.items():
        text = f"  {name:24}"
        for part in ("end", "whole"):
            values = np.array([x[part] for x in each])
            text += f"  {part} {values.mean():7.3f}"
            if name != first and len(values) > 1:
                more = estimate(np.array([x[part] for x in own[first]]) - values)
                text += f" (learned {more.mean:+.3f} ± {more.ci95:.3f})"
        said.append(text)
    return said


def main() -> None:
    """What is above."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("algorithm", choices=COMPARISONS)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--families", nargs="+", default=(), help="default: all")
    parser.add_argument("--agents", type=int, help="fresh ones, of each, in each, for each run")
    parser.add_argument("--steps", type=int, help="of an agent, in each of its environments")
    options = parser.parse_args()
    prepare_jax()
    comparison = COMPARISONS[options.algorithm]
    comparison = replace(
        comparison,
        agents=options.agents or comparison.agents,
        steps=options.steps or comparison.steps,
    )
    rules = [load(run) for run in options.runs]
    kinds = {rule.algorithm for rule in rules}
    require(len(kinds) == 1, "the runs must be of agents with the same settings")
    about = {
        "settings": {
            "agents": comparison.agents,
            "steps": comparison.steps,
            "seed": TEST_SEED,
        },
        "algorithm": repr(rules[0].algorithm),
    }
    old = read_json(options.json) if options.json and options.json.exists() else {}
    known = old["found"] if old and all(old.get(key) == x for key, x in about.items()) else {}
    trainings = [rule.card.get("training") for rule in rules]
    for found in table(rules, comparison, known, options.families):
        if options.json:
            write_json(options.json, {**about, "trainings": trainings, "found": {**known, **found}})


if __name__ == "__main__":
    main()
