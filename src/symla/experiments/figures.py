"""What all figures of the paper share: seeds, outer loops, claims and how they are judged.

A figure is data and three functions; `reproduce.py` runs any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from symla.core.optimisers import Optimiser
from symla.evaluation.statistics import Estimate
from symla.experiments.measures import show
from symla.experiments.recipes import Recipe
from symla.outer import EvolutionStrategies, LifetimePPO
from symla.rules.rule import Rule

SEEDS = (0, 1, 2)
MORE_SEEDS = (0, 1, 2, 3, 4)


def evolution(
    population: int, sigma: float, learning_rate: float, decay_steps: int = 0
) -> EvolutionStrategies:
    """Evolution strategies whose sigma and learning rate fall together."""
    optimiser = Optimiser(learning_rate, decay_steps=decay_steps)
    return EvolutionStrategies(population, sigma, optimiser, sigma_decay_steps=decay_steps)


def lifetime_ppo(generations: int, discount: float = 0.95, entropy: float = 0.01) -> LifetimePPO:
    """PPO over lifetimes, 8 candidates, with a learning rate that falls until the end."""
    steps = generations * LifetimePPO.update_epochs * LifetimePPO.minibatches
    optimiser = Optimiser(0.003, clip=1.0, decay_steps=steps)
    return LifetimePPO(8, optimiser, discount=discount, entropy=entropy)


class Verdict(NamedTuple):
    """A claim, what we measured, and whether it holds."""

    claim: str
    measured: str
    holds: bool


@runtime_checkable
class Figure(Protocol):
    """A figure of the paper: what is trained, what is tested, what must come out.

    Rules are kept in a folder of its own, or in the one that it calls `rules_in`.
    """

    @property
    def title(self) -> str:
        """Of the drawn figure."""
        ...

    def recipes(self) -> dict[str, Recipe]:
        """By name; a name ends in the seed: "symla-easy-0"."""
        ...

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        """Test the rules. Lengths of lifetimes are multiplied by `scale`."""
        ...

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """The claims of the paper, judged from what `measure` returned."""
        ...


def claim_below(claim: str, difference: Estimate, digits: int = 2) -> Verdict:
    """Holds if the whole interval of the difference is below zero."""
    return Verdict(claim, f"difference {show(difference, digits)}", difference.high < 0)


def claim_above(claim: str, difference: Estimate, digits: int = 2) -> Verdict:
    """Holds if the whole interval of the difference, or of the number itself, is above zero."""
    return Verdict(claim, show(difference, digits), difference.low > 0)
