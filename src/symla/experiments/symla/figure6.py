"""Figure 6: hearts pay, traps cost; then the two rewards are swapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from symla.algorithms import MetaRNN, SymLA
from symla.environments import Associations, Environment, Hearts, Rewards
from symla.experiments.measures import TEST_SEED, above, curve, show
from symla.experiments.recipes import SEEDS, Recipe, Verdict
from symla.lifetimes.lifetime import lifetime
from symla.outer import PolicyGradient
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

LENGTH = 2000
LONG = 10
FILM = 24  # steps shown, early and late
GRID = Hearts(size=2, episode_length=10)
LARGER = Hearts(size=3, episode_length=20)
SWAPPED = Rewards(GRID, swap=1.0)


class Stage(NamedTuple):
    """Of the curriculum that leads SymLA to the grid."""

    name: str
    environment: Environment
    outer: PolicyGradient
    lifetimes: int
    length: int
    generations: int


AT_ONCE = PolicyGradient(8, 1e-3, discount=0.0, entropy=0.0, horizon=24)
LATER = PolicyGradient(8, 1e-3, discount=0.7, horizon=24)
CURRICULUM = (
    Stage("pairs", Associations(2, 2), replace(AT_ONCE, learning_rate=3e-3), 16, 50, 300),
    Stage("noise", Associations(3, 3, 2), AT_ONCE, 16, 60, 300),
    Stage("delay", Rewards(Associations(3, 3, 1), delay=2), LATER, 16, 72, 300),
    Stage("small", GRID, LATER, 16, 96, 1000),
)


@dataclass(frozen=True)
class Figure6:
    """A 2 x 2 grid, episodes of at most 10 steps; and 3 x 3, which no rule was trained on."""

    title = "hearts and traps: reward over the lifetime, plain and swapped"

    def recipes(self) -> dict[str, Recipe]:
        """SymLA comes to the grid over three smaller tasks, each rule starting from the one before:
        what to do depends on what it sees; things to see that mean nothing; rewards that come
        later. MetaRNN, bound to its sizes, spends the whole budget on the grid."""
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
            "symla": curve(ours, GRID, lifetimes, length),
            "symla, swapped": curve(ours, SWAPPED, lifetimes, length),
            "meta-rnn": curve(theirs, GRID, lifetimes, length),
            "meta-rnn, swapped": curve(theirs, SWAPPED, lifetimes, length),
            "random": curve([hand_made("random", GRID)], GRID, lifetimes, length),
            "symla, 10 times as long": curve(ours, GRID, lifetimes, LONG * length),
        }
        larger = {
            "symla": curve(ours, LARGER, lifetimes, length),
            "random": curve([hand_made("random", LARGER)], LARGER, lifetimes, length),
        }
        panels = {"hearts": lines, "3 x 3, never seen": larger}
        film = [film_of(rule, length) for rule in ours]
        return {"kind": "curves", "length": length, "panels": panels, "films": film}

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        lines = measured["panels"]["hearts"]
        found = []
        for which in ("symla", "symla, swapped"):
            first, last = lines[which]["first_fifth"], lines[which]["last_fifth"]
            found += [
                Verdict(
                    f"{which}: reward rises within the lifetime (first fifth {show(first, 4)})",
                    show(last, 4),
                    above(last, first["mean"] + first["ci95"]),
                ),
                Verdict(
                    f"{which}: reward of the last fifth is above zero", show(last, 4), above(last)
                ),
            ]
        plain, swapped = lines["meta-rnn"], lines["meta-rnn, swapped"]
        reached = lines["symla"]["last_fifth"]["mean"] / plain["last_fifth"]["mean"]
        larger = measured["panels"]["3 x 3, never seen"]["symla"]["last_fifth"]
        return [
            *found,
            Verdict("aim: and above zero on 3 x 3, never seen", show(larger, 4), above(larger)),
            Verdict(
                "MetaRNN collects hearts at once",
                show(plain["first_fifth"], 4),
                above(plain["first_fifth"]),
            ),
            Verdict(
                "MetaRNN walks into traps after the swap",
                show(swapped["return"]),
                swapped["return"]["mean"] + swapped["return"]["ci95"] < 0,
            ),
            Verdict(
                "aim: SymLA reaches half of MetaRNN's plain reward",
                f"{reached:.2f} of it",
                reached >= 0.5,
            ),
        ]


def film_of(rule: Rule, length: int) -> dict[str, Any]:
    """Where everything stood in the first and last steps of a lifetime, and what was earned."""
    key = jax.random.key(TEST_SEED)
    watched = jax.jit(
        lambda params: lifetime(
            rule.algorithm,
            GRID,
            params,
            key,
            length,
            look=lambda lived, learner, world: (world.agent, world.heart, world.trap, lived.reward),
        )[2]
    )(rule.params)
    steps = np.stack([np.asarray(column, np.float64) for column in watched], axis=1)
    shown = min(FILM, length)
    return {"size": GRID.size, "early": steps[:shown].tolist(), "late": steps[-shown:].tolist()}
