"""How the rules of a figure are meta-trained, measured and judged: the words figures are made of.

Room: experiments. A figure is data and three functions; `reproduce.py` runs any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from symla.algorithms import LearningAlgorithm
    from symla.environments import Environment
    from symla.outer import OuterLoop
    from symla.rules.rule import Rule
    from symla.training.generation import Training

SEEDS = (0, 1, 2)
LEARNERS = ("symla", "meta-rnn")


@dataclass(frozen=True)
class Recipe:
    """One meta-training. `start` names the recipe whose rule it begins with, if any."""

    algorithm: LearningAlgorithm
    environments: tuple[Environment, ...]
    outer: OuterLoop
    lifetimes: int
    length: int
    generations: int
    seed: int
    start: str = ""

    def training(self) -> Training:
        from symla.training.generation import Training

        return Training(
            self.algorithm, self.environments, self.outer, self.lifetimes, self.length, self.seed
        )

    @property
    def environment_steps(self) -> int:
        """The budget: steps of all lifetimes of all candidates of all generations."""
        return self.generations * self.outer.population * self.lifetimes * self.length

    def card(self) -> dict[str, Any]:
        """What a person must know about where the rule comes from."""
        from symla.algorithms import ALGORITHMS
        from symla.outer import OUTER_LOOPS
        from symla.store import describe

        return {
            "algorithm": describe(self.algorithm, ALGORITHMS),
            "spec": asdict(self.environments[0].spec),
            "trained_on": ", ".join(map(repr, self.environments)),
            "training": {
                "outer": describe(self.outer, OUTER_LOOPS),
                "lifetimes": self.lifetimes,
                "length": self.length,
                "generations": self.generations,
                "seed": self.seed,
                "start": self.start,
                "environment_steps": self.environment_steps,
            },
        }

    def tiny(self) -> Recipe:
        """The same, so small that it shows only that everything runs."""
        return replace(
            self,
            algorithm=replace(self.algorithm, hidden_size=4),
            outer=replace(self.outer, population=4),
            lifetimes=1,
            length=min(self.length, 20),
            generations=2,
        )


class Verdict(NamedTuple):
    """A claim, what we measured, and whether it holds."""

    claim: str
    measured: str
    holds: bool


@runtime_checkable
class Figure(Protocol):
    """A figure of the paper: what is trained, what is tested, what must come out."""

    @property
    def title(self) -> str: ...

    def recipes(self) -> dict[str, Recipe]:
        """By name; a name ends in the seed: "symla-easy-0"."""
        ...

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        """Test the rules; JSON comes out. Lengths of lifetimes are multiplied by `scale`."""
        ...

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """The claims of the paper, judged from what `measure` returned."""
        ...
