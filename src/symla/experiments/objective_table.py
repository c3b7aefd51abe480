"""How well frozen objectives teach fresh agents, beside hand-made ones in the same agents.

    python -m symla.experiments.objective_table RUN [RUN ...] [--json FILE]

Each run is a meta-training with a seed of its own; its objective, and every hand-made one, trains
the same agents on the same tasks, which no training and no choice has seen. Differences are paired
by run, and their intervals are Student's t over runs. FILE is written after each family; what it
already has of hand-made objectives, with the same settings, is not measured again.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from symla.core.errors import require
from symla.evaluation.objective_explanation import reached
from symla.evaluation.statistics import estimate
from symla.lifetimes.resolve import make
from symla.rules.loading import hand_made, load
from symla.rules.rule import Rule
from symla.runtime.machine import prepare_jax
from symla.store import read_json, write_json

TRAINED_ON = ("point-navigation,limit=1", "linear-system", "double-integrator")
NEVER_SEEN = ("arm", "unicycle", "pendulum")
LEARNED = "learned objective"
AGENTS = 8  # fresh ones, of each objective in each family, for each run
STEPS = 1_600  # of an agent, in each of its environments
FIRST_SEED = 7_000  # of the tasks: that of the first run; no training has such a seed

# What a person types as a rule; {run} is the number of the run.
HAND_MADE = {
    "random objective": "follow-random,objective.seed={run}",
    "advantage-weighted": "advantage-weighted",
    "REINFORCE, lambda 0": "reinforce-off-policy,objective.trace=0.0",
    "REINFORCE, lambda 0.9": "reinforce-off-policy,objective.trace=0.9",
    "REINFORCE, lambda 0.97": "reinforce-off-policy,objective.trace=0.97",
    "TD3's gradient": "follow-critic",
}


def measure(rule: Rule, family: str, seed: int, agents: int, steps: int) -> dict[str, float]:
    """Mean reward a step of fresh agents: over all of their lives, and over the last tenth."""
    algorithm: Any = rule.algorithm  # one that learns from rollouts
    length = steps * algorithm.workers
    whole, end = reached(algorithm, rule.params, make(family), agents, length, seed)
    return {"whole": float(whole.mean()), "end": float(end.mean())}


def beside(algorithm: Any, name: str) -> Rule:
    """The hand-made objective of that name in agents of the same settings."""
    rule = hand_made(name)
    other: Any = rule.algorithm
    return Rule(replace(algorithm, objective=other.objective), rule.params, rule.card)


def table(
    rules: Sequence[Rule],
    families: Sequence[str],
    agents: int = AGENTS,
    steps: int = STEPS,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[dict[str, Any]]:
    """By family, then by objective: what was measured for each of the rules, in their order; after
    each family. `known` is what was measured before of hand-made ones, in the same form."""
    found: dict[str, Any] = {}
    for family in families:
        own: dict[str, list[dict[str, float]]] = {}
        before = known.get(family, {})
        for number, rule in enumerate(rules):
            where = family, FIRST_SEED + number, agents, steps
            own.setdefault(LEARNED, []).append(measure(rule, *where))
            for name, spelled in HAND_MADE.items():
                kept = before.get(name, [])[number : number + 1]
                other = beside(rule.algorithm, spelled.format(run=number))
                own.setdefault(name, []).extend(kept or [measure(other, *where)])
        found[family] = own
        jax.clear_caches()  # hundreds of compiled programs are more than a process can map
        print("\n".join(lines(family, own)), flush=True)
        yield found


def lines(family: str, own: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    """Of one family: means over runs, and how much more the learned objectives reach."""
    said = [family]
    for name, each in own.items():
        text = f"  {name:24}"
        for part in ("end", "whole"):
            values = np.array([x[part] for x in each])
            text += f"  {part} {values.mean():7.3f}"
            if name != LEARNED and len(values) > 1:
                more = estimate(np.array([x[part] for x in own[LEARNED]]) - values)
                text += f" (learned {more.mean:+.3f} ± {more.ci95:.3f})"
        said.append(text)
    return said


def main() -> None:
    """What is above."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--agents", type=int, default=AGENTS)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    prepare_jax()
    rules = [load(run) for run in options.runs]
    kinds = {rule.algorithm for rule in rules}
    require(len(kinds) == 1, "the runs must be of agents with the same settings")
    about = {
        "settings": {"agents": options.agents, "steps": options.steps, "seed": FIRST_SEED},
        "algorithm": repr(rules[0].algorithm),
    }
    old = read_json(options.json) if options.json and options.json.exists() else {}
    known = old["found"] if old and all(old.get(key) == x for key, x in about.items()) else {}
    trainings = [rule.card.get("training") for rule in rules]
    families = *TRAINED_ON, *NEVER_SEEN
    for found in table(rules, families, options.agents, options.steps, known):
        if options.json:
            write_json(options.json, {**about, "trainings": trainings, "found": {**known, **found}})


if __name__ == "__main__":
    main()
