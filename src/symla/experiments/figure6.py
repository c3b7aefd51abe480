"""Figure 6: hearts pay, traps cost; then the two rewards are swapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import MetaRNN, Rule, SymLA
from symla.environments import Associations, Hearts, Rewards
from symla.experiments.measures import above, curve, show
from symla.experiments.recipes import LEARNERS, SEEDS, Recipe, Verdict
from symla.outer import PolicyGradient
from symla.rules import hand_made

LENGTH = 2000
LONG = 10
SWAPPED = Rewards(Hearts(), swap=1.0)
LIFETIMES = 16  # of each of 8 candidates
# Name, environment, outer loop, length, generations.
CURRICULUM = (
    ("pairs", Associations(2, 2), PolicyGradient(8, 3e-3, discount=0.0, entropy=0.0), 50, 500),
    ("noise", Associations(3, 3, 2), PolicyGradient(8, 1e-3, discount=0.0, entropy=0.0), 60, 500),
    ("small", Hearts(2, 10), PolicyGradient(8, 1e-3, discount=0.7), 80, 600),
    ("hearts", Hearts(), PolicyGradient(8, 1e-3, discount=0.8), 150, 500),
)


@dataclass(frozen=True)
class Figure6:
    """A 3 x 3 grid, episodes of at most 20 steps."""

    title = "hearts and traps: reward over the lifetime, plain and swapped"

    def recipes(self) -> dict[str, Recipe]:
        """SymLA comes to the grid over three smaller tasks: from what it sees to what to do, with
        things to see that mean nothing, and a grid of 2 x 2. Rules have no sizes, so each starts
        from the one before. MetaRNN, bound to its sizes, spends the same budget on the grid."""
        found: dict[str, Recipe] = {}
        for seed in SEEDS:
            for stage, (name, environment, outer, length, generations) in enumerate(CURRICULUM):
                start = f"symla-{CURRICULUM[stage - 1][0]}-{seed}" if stage else ""
                found[f"symla-{name}-{seed}"] = Recipe(
                    SymLA(), (environment,), outer, LIFETIMES, length, generations, seed, start
                )
            steps = sum(length * generations for *_, length, generations in CURRICULUM)
            _, environment, outer, length, _ = CURRICULUM[-1]
            found[f"meta-rnn-hearts-{seed}"] = Recipe(
                MetaRNN(64), (environment,), outer, LIFETIMES, length, steps // length, seed
            )
        return found

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
