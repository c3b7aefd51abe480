"""Figure 6: hearts pay, traps cost; then the two rewards are swapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from symla.algorithms import MetaRNN, SymLA
from symla.algorithms.step_by_step import step_by_step
from symla.core.optimisers import Optimiser
from symla.core.streams import Stream, stream_key
from symla.environments import Associations, Environment, Hearts, Rewards
from symla.experiments.figures import SEEDS, Verdict, claim_above
from symla.experiments.measures import TEST_SEED, Curve, show
from symla.experiments.recipes import Recipe
from symla.lifetimes.lifetime import lifetime
from symla.outer import PolicyGradient
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

LENGTH = 2000
LONG = 10  # times as long
SHOWN = 24  # steps of a recorded lifetime, early and late
GRID = Hearts(size=2, episode_length=10)
LARGER = Hearts(size=3, episode_length=20)
SWAPPED = Rewards(GRID, swap=1.0)


class Stage(NamedTuple):
    """One training of the curriculum that ends with the grid."""

    name: str
    environment: Environment
    outer: PolicyGradient
    lifetimes: int
    length: int
    generations: int


SLOW, FAST = Optimiser(1e-3, clip=1.0), Optimiser(3e-3, clip=1.0)
# The first for rewards that an action earns at once, the second for later ones.
AT_ONCE = PolicyGradient(8, SLOW, discount=0.0, entropy=0.0, horizon=24)
LATER = PolicyGradient(8, SLOW, discount=0.7, horizon=24)
CURRICULUM = (
    Stage("pairs", Associations(2, 2), replace(AT_ONCE, optimiser=FAST), 16, 50, 300),
    Stage("noise", Associations(3, 3, 2), AT_ONCE, 16, 60, 300),
    Stage("delay", Rewards(Associations(3, 3, 1), delay=2), LATER, 16, 72, 300),
    Stage("small", GRID, LATER, 16, 96, 1000),
)


@dataclass(frozen=True)
class Figure6:
    """A 2 x 2 grid, episodes of at most 10 steps; and 3 x 3, which no rule was trained on."""

    title = "hearts and traps: reward over the lifetime, plain and swapped"

    def recipes(self) -> dict[str, Recipe]:
        """SymLA is trained on three smaller tasks before the grid, each rule starting from
        the one before: actions that depend on the observation; distractors; delayed rewards.
        MetaRNN, whose sizes are fixed, spends the whole budget on the grid."""
        found: dict[str, Recipe] = {}
        budget = sum(s.lifetimes * s.length * s.generations for s in CURRICULUM)
        grid = CURRICULUM[-1]
        for seed in SEEDS:
            start = ""
            for stage in CURRICULUM:
                name = f"symla-{stage.name}-{seed}"
                found[name] = Recipe(SymLA(), (stage.environment,), *stage[2:], seed, start)
                start = name
            generations = budget // (grid.lifetimes * grid.length)
            settings = grid.outer, grid.lifetimes, grid.length, generations, seed
            found[f"meta-rnn-hearts-{seed}"] = Recipe(MetaRNN(64), (grid.environment,), *settings)
        return found

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))
        ours = [rules[f"symla-small-{seed}"] for seed in SEEDS]
        theirs = [rules[f"meta-rnn-hearts-{seed}"] for seed in SEEDS]
        lines = {
            "symla": Curve.of(ours, GRID, lifetimes, length),
            "symla, swapped": Curve.of(ours, SWAPPED, lifetimes, length),
            "meta-rnn": Curve.of(theirs, GRID, lifetimes, length),
            "meta-rnn, swapped": Curve.of(theirs, SWAPPED, lifetimes, length),
            "random": Curve.of([hand_made("random", GRID)], GRID, lifetimes, length),
            "symla, 10 times as long": Curve.of(ours, GRID, lifetimes, LONG * length),
        }
        larger = {
            "symla": Curve.of(ours, LARGER, lifetimes, length),
            "random": Curve.of([hand_made("random", LARGER)], LARGER, lifetimes, length),
        }
        panels = {"hearts": lines, "3 x 3, never seen": larger}
        recordings = [recorded_lifetime(rule, length) for rule in ours]
        return {"kind": "curves", "length": length, "panels": panels, "recordings": recordings}

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Over meta-training seeds."""
        lines = measured["panels"]["hearts"]
        found = []
        for which in ("symla", "symla, swapped"):
            line = lines[which]
            found += [
                claim_above(
                    f"{which}: reward rises within the lifetime (first fifth "
                    f"{show(line.first.estimate, 4)}, last {show(line.last.estimate, 4)})",
                    line.last.minus(line.first),
                    4,
                ),
                claim_above(
                    f"{which}: reward of the last fifth is above zero", line.last.estimate, 4
                ),
            ]
        plain, swapped = lines["meta-rnn"], lines["meta-rnn, swapped"]
        ours, theirs = (lines[who].last.estimate for who in ("symla", "meta-rnn"))
        larger = measured["panels"]["3 x 3, never seen"]["symla"].last.estimate
        lost = swapped.total.estimate
        return [
            *found,
            claim_above("aim: and above zero on 3 x 3, never seen", larger, 4),
            claim_above("MetaRNN collects hearts at once", plain.first.estimate, 4),
            Verdict("MetaRNN walks into traps after the swap", show(lost), lost.high < 0),
            Verdict(
                f"aim: SymLA reaches half of MetaRNN's plain reward ({show(theirs, 4)})",
                show(ours, 4),
                ours.mean >= 0.5 * theirs.mean,
            ),
        ]


def recorded_lifetime(rule: Rule, length: int) -> dict[str, Any]:
    """Where everything stood in the first and last steps of a lifetime, and what was earned."""
    key = jax.random.fold_in(stream_key(TEST_SEED, Stream.TESTING), 0)
    recorded = jax.jit(
        lambda params: lifetime(
            step_by_step(rule.algorithm),
            GRID,
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
    return {"size": GRID.size, "early": steps[:shown].tolist(), "late": steps[-shown:].tolist()}
