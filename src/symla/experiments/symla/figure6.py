"""Figure 6: hearts pay, traps cost; then the two rewards are swapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from symla.algorithms import MetaRNN, SymLA
from symla.algorithms.step_by_step import step_by_step
from symla.core.optimisers import Optimiser
from symla.core.streams import Stream, stream_key
from symla.environments import Associations, Environment, Hearts, Rewards
from symla.experiments.figures import MORE_SEEDS, SEEDS, Verdict, claim_above
from symla.experiments.measures import PARTS, TEST_SEED, Curve, show, without
from symla.experiments.recipes import Recipe
from symla.lifetimes.lifetime import lifetime
from symla.outer import OuterLoop, PolicyGradient, Teacher
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

LENGTH = 2000
LONG = 5  # times as long
SHOWN = 24  # steps of a recorded lifetime, early and late
FEWER = 8  # times fewer lifetimes than the test has, as they are slow to live
FEWER_LONG = 2 * FEWER  # of the longer ones
GRIDS = {
    size: Hearts(size, episode_length)
    for size, episode_length in ((2, 10), (3, 20), (4, 30), (5, 40))
}
GRID = GRIDS[2]


class Stage(NamedTuple):
    """One training of a curriculum that ends with the grid."""

    name: str
    environments: tuple[Environment, ...]
    outer: OuterLoop
    lifetimes: int
    length: int
    generations: int


SLOW, FAST = Optimiser(1e-3, clip=1.0), Optimiser(3e-3, clip=1.0)
# The first for rewards that an action earns at once, the second for later ones.
AT_ONCE = PolicyGradient(8, SLOW, discount=0.0, entropy=0.0, horizon=24)
LATER = PolicyGradient(8, SLOW, discount=0.7, horizon=24)
CURRICULUM = (
    Stage("pairs", (Associations(2, 2),), replace(AT_ONCE, optimiser=FAST), 16, 50, 300),
    Stage("noise", (Associations(3, 3, 2),), AT_ONCE, 16, 60, 300),
    Stage("delay", (Rewards(Associations(3, 3, 1), delay=2),), LATER, 16, 72, 300),
    Stage("small", (GRID,), LATER, 16, 96, 1000),
)


def taught(
    name: str, environments: Sequence[Environment], lifetime: int, rate: float, generations: int
) -> Stage:
    """By a teacher, over lives that go on; the rate falls to a tenth."""
    falling = Optimiser(rate, clip=1.0, decay_steps=generations, decay_to=0.1)
    outer = Teacher(4, falling, horizon=32, lifetime=lifetime)
    return Stage(name, tuple(environments), outer, 16, outer.horizon, generations)


TAUGHT = (
    taught("which", (Associations(3, 3, 1), Associations(4, 4)), 128, 0.01, 600),
    taught("2x2", (GRIDS[2],), 512, 0.01, 400),
    taught("3x3", (GRIDS[2], GRIDS[3]), 1024, 0.005, 1600),
    taught("4x4", (GRIDS[4],), 3072, 0.005, 1600),
    taught("5x5", (GRIDS[5],), 6144, 0.005, 6400),
)


@dataclass(frozen=True)
class Figure6:
    """Grids of 2 x 2 to 5 x 5, which the paper's picture looks like. By a teacher, and by policy
    gradient on 2 x 2."""

    title = "hearts and traps: reward over the lifetime, plain and swapped"

    def recipes(self) -> dict[str, Recipe]:
        """SymLA is trained on smaller tasks before a grid, each rule starting from the one before:
        actions that depend on the observation; by policy gradient then distractors and delayed
        rewards. MetaRNN, whose sizes are fixed, has each grid alone."""
        found: dict[str, Recipe] = {}
        budget = sum(s.lifetimes * s.length * s.generations for s in CURRICULUM)
        grid = CURRICULUM[-1]
        for seed in SEEDS:
            found |= _in_stages("symla", CURRICULUM, seed)
            generations = budget // (grid.lifetimes * grid.length)
            settings = grid.outer, grid.lifetimes, grid.length, generations, seed
            found[f"meta-rnn-hearts-{seed}"] = Recipe(MetaRNN(64), grid.environments, *settings)
        for seed in MORE_SEEDS:
            found |= _in_stages("symla-taught", TAUGHT, seed)
            for size, environment in GRIDS.items():
                stage = taught("", (environment,), 512, 0.003, 1500)
                found[f"meta-rnn-taught-{size}x{size}-{seed}"] = Recipe(
                    MetaRNN(64), *stage[1:], seed
                )
        return found

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))
        few, fewer = (max(2, lifetimes // part) for part in (FEWER, FEWER_LONG))
        panels: dict[str, Any] = {}
        before: list[Rule] = []  # of the stage before, whose grids are smaller
        for size, environment in GRIDS.items():
            name, swapped = f"{size}x{size}", Rewards(environment, swap=1.0)
            ours = [rules[f"symla-taught-{name}-{seed}"] for seed in MORE_SEEDS]
            theirs = [rules[f"meta-rnn-taught-{name}-{seed}"] for seed in MORE_SEEDS]
            panels[name] = {
                "symla": Curve.of(ours, environment, few, length),
                "symla, swapped": Curve.of(ours, swapped, few, length),
                "meta-rnn": Curve.of(theirs, environment, few, length),
                "meta-rnn, swapped": Curve.of(theirs, swapped, few, length),
                "random": Curve.of(hand_made("random", environment), environment, few, length),
                "symla, longer": Curve.of(ours, environment, fewer, LONG * length),
                "symla, swapped, longer": Curve.of(ours, swapped, fewer, LONG * length),
            }
            if before:
                never = Curve.of(before, environment, fewer, LONG * length)
                panels[name]["symla, never seen, longer"] = never
            before = ours
        lines = panels["2x2"]
        first = [rules[f"symla-small-{seed}"] for seed in SEEDS]
        theirs = [rules[f"meta-rnn-hearts-{seed}"] for seed in SEEDS]
        by = "by policy gradient"
        lines[f"symla, {by}"] = Curve.of(first, GRID, lifetimes, length)
        lines[f"meta-rnn, {by}"] = Curve.of(theirs, GRID, lifetimes, length)
        ours = [rules[f"symla-taught-3x3-{seed}"] for seed in MORE_SEEDS]
        for part, name in PARTS.items():
            blind = without(ours, GRIDS[3], part)
            panels["3x3"][f"symla, without {name}"] = Curve.of(blind, GRIDS[3], few, length)
        shown = [rules[f"symla-taught-4x4-{seed}"] for seed in SEEDS]
        recordings = [recorded_lifetime(rule, GRIDS[4], LONG * length) for rule in shown]
        return {
            "kind": "curves",
            "length": length,
            "panels": panels,
            "not_drawn": [f"symla, without {name}" for name in PARTS.values()],
            "recordings": recordings,
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Over meta-training seeds."""
        found = []
        for grid, lines in measured["panels"].items():
            plain = lines["meta-rnn"]
            half = plain.last.towards(lines["random"].last, 0.5)
            for which in ("symla", "symla, swapped"):
                line = lines[f"{which}, longer"]
                change = show(line.first.estimate, 4), show(line.last.estimate, 4)
                found += [
                    claim_above(
                        f"{grid}, {which}: reward rises within the lifetime (first fifth "
                        f"{change[0]}, last {change[1]})",
                        line.last.minus(line.first),
                        4,
                    ),
                    claim_above(
                        f"{grid}, {which}: ends more than half of the way from random play "
                        f"to MetaRNN's plain reward ({show(half.estimate, 4)})",
                        line.last.beside(half),
                        4,
                    ),
                ]
            lost = lines["meta-rnn, swapped"].last.estimate
            found += [
                claim_above(f"{grid}: MetaRNN collects hearts at once", plain.first.estimate, 4),
                Verdict(
                    f"{grid}: MetaRNN walks into traps after the swap", show(lost, 4), lost.high < 0
                ),
            ]
            if (never := lines.get("symla, never seen, longer")) is not None:
                claim = (
                    f"aim, {grid}: learned by rules that never saw it, too (last fifth minus first)"
                )
                found.append(claim_above(claim, never.last.minus(never.first), 4))
        lines = measured["panels"]["3x3"]
        for name in PARTS.values():
            lost = lines["symla"].last.minus(lines[f"symla, without {name}"].last)
            found.append(claim_above(f"3x3: without {name} SymLA earns less", lost, 4))
        return found


def _in_stages(learner: str, stages: Sequence[Stage], seed: int) -> dict[str, Recipe]:
    found, start = {}, ""
    for stage in stages:
        name = f"{learner}-{stage.name}-{seed}"
        found[name] = Recipe(SymLA(), *stage[1:], seed, start)
        start = name
    return found


def recorded_lifetime(rule: Rule, grid: Hearts, length: int) -> dict[str, Any]:
    """Where everything stood in the first and last steps of a lifetime, and what was earned."""
    key = jax.random.fold_in(stream_key(TEST_SEED, Stream.TESTING), 0)
    recorded = jax.jit(
        lambda params: lifetime(
            step_by_step(rule.algorithm),
            grid,
            params,
            key,
            length,
            record=lambda transition, task, learner, world: (
                world.agent,
                world.heart,
                world.trap,
                transition.reward,
            ),
        )[2]
    )(rule.params)
    steps = np.stack([np.asarray(column, np.float64) for column in recorded], axis=1)
    shown = min(SHOWN, length)
    return {"size": grid.size, "early": steps[:shown].tolist(), "late": steps[-shown:].tolist()}
