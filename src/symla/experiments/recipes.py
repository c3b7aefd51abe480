"""How the rules of a figure are meta-trained, measured and judged: what all figures share.

A figure is data and three functions; `reproduce.py` runs any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

from symla.algorithms import ALGORITHMS, LearningAlgorithm
from symla.core.errors import CheckpointError
from symla.core.optimisers import Optimiser
from symla.core.streams import Stream
from symla.core.types import ACTION_SPACES, Params
from symla.environments import ENVIRONMENT_CLASSES, Environment, name_of
from symla.evaluation.evaluate import meta_test
from symla.evaluation.statistics import Estimate
from symla.experiments.base import View
from symla.experiments.measures import show
from symla.outer import OUTER_LOOPS, EvolutionStrategies, OuterLoop
from symla.rules.loading import load
from symla.rules.rule import Rule
from symla.store import RunFolder, describe, differences
from symla.training.generation import Training
from symla.training.loop import meta_train

SEEDS = (0, 1, 2)
LEARNERS = ("symla", "meta-rnn")
CLASSES: dict[str, type] = ALGORITHMS | OUTER_LOOPS | ENVIRONMENT_CLASSES
PROBE_LIFETIMES, PROBE_EVERY = 256, 50


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
        """What is trained."""
        return Training(
            self.algorithm, self.environments, self.outer, self.lifetimes, self.length, self.seed
        )

    @property
    def environment_steps(self) -> int:
        """The budget: steps of all lifetimes of all candidates of all generations."""
        return self.generations * self.outer.population * self.lifetimes * self.length

    def card(self) -> dict[str, Any]:
        """What a person must know about where the rule comes from."""
        return {
            "algorithm": describe(self.algorithm, CLASSES),
            "spec": describe(self.environments[0].spec, ACTION_SPACES),
            "trained_on": ", ".join(map(repr, self.environments)),
            "training": {
                "outer": describe(self.outer, CLASSES),
                "lifetimes": self.lifetimes,
                "length": self.length,
                "generations": self.generations,
                "seed": self.seed,
                "start": self.start,
                "environment_steps": self.environment_steps,
            },
        }

    def run(self, run: RunFolder, view: View, title: str, resume_with: str = "") -> Rule | None:
        """Train, from the newest checkpoint in `run` if it has one. None if a signal ended it.

        `run` holds the rule to begin with, where there is one. The rule is probed on tasks that
        neither training nor a test sees. Raises CheckpointError if `run` was trained by another
        recipe until now, or lacks that rule.
        """

        def probe(rule: Rule) -> dict[str, float]:
            arguments = self.environments[0], PROBE_LIFETIMES, self.length, self.seed
            reached = meta_test(rule, *arguments, Stream.CHOOSING).return_
            return {"score": reached.mean, "return": reached.mean, "return_ci95": reached.ci95}

        view.start(title, "return", {})
        rule, done = meta_train(
            self.training(),
            self.generations,
            run,
            self.card() | run.origin(),
            start=self._start(run),
            probe=probe,
            probe_every=PROBE_EVERY,
            watch=view.progress,
            resume_with=resume_with,
        )
        interrupted = done < self.generations
        view.stop(done, interrupted)
        return None if interrupted else rule

    def _start(self, run: RunFolder) -> Params | None:
        """The meta-parameters that `run` has for the beginning. None: fresh ones, or none needed
        because there is a checkpoint of this very recipe."""
        if any(run.checkpoints()):
            before, now = run.newest_checkpoint(warn=False).manifest, self.card()
            changes = differences({key: before.get(key) for key in now}, now)
            if changes:
                raise CheckpointError(
                    f"{run.path} was trained by another recipe than {run.config_path.name} has:\n  "
                    + "\n  ".join(changes)
                )
            return None
        return load(run.start_path).params if self.start else None

    def where(self) -> str:
        """The first environment, as a person names it; ENV, for any, where it has no name."""
        return name_of(self.environments[0]) or "ENV"

    def tiny(self) -> Recipe:
        """The same, so small that it shows only that everything runs."""
        algorithm: Any = self.algorithm  # of a class that has these fields, as all recipes' are
        outer: Any = self.outer
        return replace(
            self,
            algorithm=replace(algorithm, hidden_size=4),
            outer=replace(outer, population=4),
            lifetimes=1,
            length=min(self.length, 20),
            generations=2,
        )


def evolution(
    population: int, sigma: float, learning_rate: float, decay_steps: int = 0
) -> EvolutionStrategies:
    """Evolution strategies whose sigma and learning rate fall together."""
    optimiser = Optimiser(learning_rate, decay_steps=decay_steps)
    return EvolutionStrategies(population, sigma, optimiser, sigma_decay_steps=decay_steps)


class Verdict(NamedTuple):
    """A claim, what we measured, and whether it holds."""

    claim: str
    measured: str
    holds: bool


@runtime_checkable
class Figure(Protocol):
    """A figure of the paper: what is trained, what is tested, what must come out."""

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
