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
from symla.training.loop import train_rule

SEEDS = (0, 1, 2)
LEARNERS = ("symla", "meta-rnn")
CLASSES: dict[str, type] = ALGORITHMS | OUTER_LOOPS | ENVIRONMENT_CLASSES
PROBE_LIFETIMES, PROBE_EVERY = 256, 50


@dataclass(frozen=True)
class Recipe:
    """One meta-training. `start` names the recipe or rule that it begins with, if any.

    The best checkpoint is chosen in `probes`, or else where it is trained, on tasks of their own;
    the rule is tested in `tests` and where it was trained, if there are `test_lifetimes`.
    """

    algorithm: LearningAlgorithm
    environments: tuple[World, ...]
    outer: OuterLoop
    lifetimes: int
    length: int
    generations: int
    seed: int
    start: str = ""
    probes: tuple[World, ...] = ()
    tests: tuple[World, ...] = ()
    test_lifetimes: int = 0

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
            "spec": describe(spec_of(self.environments[0]), ACTION_SPACES),
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

    def run(
        self,
        run: RunFolder,
        view: View,
        title: str,
        resume_with: str = "",
        watch: Callable[[Mapping[str, float]], None] | None = None,
        exits: bool = True,
    ) -> Rule | None:
        """Train, from the newest checkpoint in `run` if it has one. None if a signal ended it.

        `run` holds the rule to begin with, where there is one. The rule is probed on tasks that
        neither training nor a test sees; `watch` gets every row of metrics; `exits` as `train_rule`
        has it. Raises CheckpointError if `run` was trained by another recipe until now, or lacks
        that rule.
        """
        probe = Probe(self)
        view.start(title, "return", probe.references())

        def report(progress: Progress) -> None:
            view.progress(progress)
            for row in progress.rows if watch else ():
                watch(row)
        rule, done = train_rule(
            self.training(),
            self.generations,
            run,
            self.card() | run.origin(),
            start=self._start(run),
            probe=probe,
            probe_every=PROBE_EVERY,
            watch=report,
            resume_with=resume_with,
            exits=exits,
        )
        interrupted = done < self.generations
        view.stop(done, interrupted)
        if interrupted:
            return None
        if self.test_lifetimes:
            run.write_results(self.results(rule) | run.origin())
        return rule

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
        """The first environment, as a person names it."""
        return named(self.environments[0])

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


class Probe:
    """Measures a rule during its training, on tasks of `Stream.CHOOSING`.

    Its score is how far it is above random play, in standard deviations of random lifetimes, the
    mean over environments: so none of several counts more because its rewards are larger.
    """

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self.worlds = recipe.probes or recipe.environments
        play = hand_made("random")
        self.random = [self._returns(play, world) for world in self.worlds]

    def references(self) -> dict[str, float]:
        """What random play reaches in the first environment."""
        return {"random": float(self.random[0].mean())}

    def __call__(self, rule: Rule) -> dict[str, float]:
        """The score, and the return in the first environment."""
        returns = [self._returns(rule, world) for world in self.worlds]
        above = [
            (found.mean() - random.mean()) / max(random.std(), 1e-3 + 0.01 * abs(random.mean()))
            for found, random in zip(returns, self.random)
        ]
        first = estimate(returns[0])
        return {"score": float(np.mean(above)), "return": first.mean, "return_ci95": first.ci95}

    def _returns(self, rule: Rule, world: World) -> Float[np.ndarray, " lifetimes"]:
        lifetimes = PROBE_LIFETIMES // (8 if is_on_host(world) else 1)
        recipe = self.recipe
        found = live(rule, world, max(2, lifetimes), recipe.length, recipe.seed, Stream.CHOOSING)
        return found.reward.sum(axis=1, dtype=np.float64)


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
