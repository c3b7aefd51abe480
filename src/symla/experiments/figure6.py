"""Figure 6: hearts pay, traps cost; then the two rewards are swapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import MetaRNN, Rule, SymLA
from symla.environments import Hearts, Rewards
from symla.experiments.measures import above, curve, show
from symla.experiments.recipes import LEARNERS, SEEDS, Recipe, Verdict
from symla.outer import EvolutionStrategies
from symla.rules import hand_made

LENGTH = 2000
LONG = 10
SWAPPED = Rewards(Hearts(), swap=1.0)


@dataclass(frozen=True)
class Figure6:
    """A 3 x 3 grid, episodes of at most 20 steps."""

    title = "hearts and traps: reward over the lifetime, plain and swapped"

    def recipes(self) -> dict[str, Recipe]:
        outer = EvolutionStrategies(128, 0.05, 0.02)
        return {
            f"{learner}-hearts-{seed}": Recipe(algorithm, (Hearts(),), outer, 4, 500, 800, seed)
            for learner, algorithm in {"symla": SymLA(), "meta-rnn": MetaRNN(64)}.items()
            for seed in SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        length = max(2, int(LENGTH * scale))
        lines = {}
        for learner in LEARNERS:
            trained = [rules[f"{learner}-hearts-{seed}"] for seed in SEEDS]
            lines[learner] = curve(trained, Hearts(), lifetimes, length)
            lines[f"{learner}, swapped"] = curve(trained, SWAPPED, lifetimes, length)
        lines["random"] = curve([hand_made("random", Hearts())], Hearts(), lifetimes, length)
        trained = [rules[f"symla-hearts-{seed}"] for seed in SEEDS]
        lines["symla, 10 times as long"] = curve(trained, Hearts(), lifetimes, LONG * length)
        return {"kind": "curves", "length": length, "panels": {"hearts": lines}}

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
        return [
            *found,
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
