"""Recipes: a meta-training as data, run in a folder, probed while it runs, tested at its end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from symla.algorithms import ALGORITHM_CLASSES, MetaGenRL
from symla.algorithms.base import AnyAlgorithm, LearnsFromRollouts
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core import streams
from symla.core.errors import CheckpointError, SettingError, require
from symla.core.types import ACTION_SPACES, Params
from symla.environments import (
    ENVIRONMENT_CLASSES,
    Environment,
    MoreActions,
    Padded,
    Permuted,
    Projected,
    Rewards,
    name_of,
)
from symla.evaluation.evaluate import meta_test
from symla.evaluation.references import references
from symla.experiments.base import View
from symla.experiments.probe import PROBE_LIFETIMES, Probe
from symla.lifetimes.host import is_on_host, spec_of
from symla.outer import OUTER_LOOPS, OuterLoop, ThroughCritic
from symla.rules.loading import load
from symla.rules.rule import Rule
from symla.runtime.provenance import provenance
from symla.store import (
    RECIPE,
    RunFolder,
    describe,
    differences,
    from_settings,
    rebuild,
    rewritten,
)
from symla.training.generation import Training
from symla.training.loop import Progress, train_rule

CLASSES: dict[str, type] = (
    ALGORITHM_CLASSES | OUTER_LOOPS | ENVIRONMENT_CLASSES | {"Gymnasium": GymnasiumEnvironment}
)
CHANGES: dict[type, str] = {
    Permuted: "permuted",
    Projected: "projected",
    Rewards: "other rewards",
    MoreActions: "more actions",
    Padded: "padded",
}
World = Any  # an Environment, or one on the host
PROBE_EVERY = 50
ENDLESS = 20_000  # steps, at most, in which agents are tested that live on in all of training
BUDGET = ("generations", "environment_steps")  # of a card: more of it may come later


def named(world: World) -> str:
    """What a person calls an environment: its name and how it is changed, or how it is made."""
    if is_on_host(world):
        return world.name
    known = name_of(world)
    changed = next((words for kind, words in CHANGES.items() if isinstance(world, kind)), None)
    if known is None and changed is not None:
        return f"{named(world.environment)}, {changed}"
    return known or repr(world)


@dataclass(frozen=True)
class Recipe:
    """One meta-training. `start` names the recipe or rule that it begins with, if any.

    The best checkpoint is chosen in `probes`, or else where it is trained, on tasks of their own;
    the rule is tested in `tests` and where it was trained, if there are `test_lifetimes`.
    """

    algorithm: AnyAlgorithm
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

    def __post_init__(self):
        require(self.generations >= 1, f"generations must be at least 1, got {self.generations}")
        require(
            self.test_lifetimes == 0 or self.test_lifetimes >= 2,
            f"test_lifetimes must be 0, for no test, or at least 2, got {self.test_lifetimes}",
        )
        for world in (*self.environments, *self.probes, *self.tests):
            require(
                is_on_host(world) or isinstance(world, Environment),
                f"environments cannot be {world!r}: make one with symla.make",
            )

    def training(self) -> Training:
        """What is trained."""
        return Training(
            self.algorithm, self.environments, self.outer, self.lifetimes, self.length, self.seed
        )

    @property
    def lifetime(self) -> int:
        """Steps of a lifetime in which the rule is chosen and tested, in all its environments
        together: of one that goes on over generations all of them."""
        steps = getattr(self.outer, "lifetime", 0)
        if isinstance(self.outer, ThroughCritic) and not steps:
            steps = min(ENDLESS, self.generations * self.length)
        return self._workers * max(self.length, steps)

    @property
    def _workers(self) -> int:
        """Environments in which a lifetime is lived side by side."""
        return getattr(self.algorithm, "workers", 1)

    @property
    def _probe_every(self) -> int:
        """Generations between two looks at how good the rule is: at most a hundred looks; where a
        lifetime is many generations, so many that no look has more steps than the generations
        before it, but at least four."""
        looks = 4 if isinstance(self.outer, ThroughCritic) else 100
        every = max(PROBE_EVERY, self.generations // looks)
        in_a_look = PROBE_LIFETIMES * self.lifetime * len(self.probes or self.environments)
        as_long = in_a_look * self.generations // self.environment_steps
        return max(every, min(as_long, self.generations // 4))

    @property
    def _share(self) -> float:
        """How much of a lifetime, at its end, counts where the rule is chosen."""
        return self.outer.share(self.training()) if hasattr(self.outer, "share") else 1.0

    @property
    def environment_steps(self) -> int:
        """The budget: steps of all lifetimes of all candidates of all generations."""
        lives = self.outer.population * self.lifetimes * self._workers
        return self.generations * lives * self.length

    def card(self) -> dict[str, Any]:
        """What a person must know about where the rule comes from."""
        first: Any = self.environments[0]
        return {
            "algorithm": describe(self.algorithm, CLASSES),
            "spec": describe(spec_of(first), ACTION_SPACES),
            "trained_on": ", ".join(map(repr, self.environments)),
            "environment": named(first.environment if isinstance(first, Padded) else first),
            **self._padding(),
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

    def _padding(self) -> dict[str, Any]:
        """The sizes to which environments are padded, if any is, for the card."""
        found = next((x for x in self.environments if isinstance(x, Padded)), None)
        return {"padded": [found.observations, found.actions]} if found else {}

    def finished(self, run: RunFolder) -> bool:
        """Whether `run` has all generations, and the tests that follow them."""
        if not any(run.checkpoints()) or (done := run.generations_done()) < self.generations:
            return False
        if not self.test_lifetimes:
            return True
        return run.results_path.exists() and run.results().get("generations", done) == done

    def run(
        self,
        run: RunFolder,
        view: View,
        title: str,
        resume_with: str = "",
        watch: Callable[[Mapping[str, Any]], None] | None = None,
        exits: bool = True,
    ) -> Rule | None:
        """Train, from the newest checkpoint in `run` if it has one. None if a signal ended it.

        `run` holds the rule to begin with, where there is one. The rule is probed on tasks that
        neither training nor a test sees; `watch` gets every row of metrics; `exits` as `train_rule`
        has it. Raises CheckpointError if `run` was trained by another recipe until now, or lacks
        that rule.
        """
        worlds, episodic = self.probes or self.environments, getattr(self.outer, "episodic", False)
        probe = Probe(worlds, self.lifetime, self.seed, self._share, episodic)
        for observations, actions in self._padding().values():
            view.say(
                f"observations are padded with zeros to {observations} numbers, and actions to "
                f"{actions}, those of the largest environment: its weights are of one size"
            )
        view.start(title, "return", probe.references())

        def report(progress: Progress) -> None:
            view.progress(progress)
            if watch:
                for row in progress.rows:
                    watch(row)

        rule, done = train_rule(
            self.training(),
            self.generations,
            run,
            self.card() | run.origin(),
            start=self._start(run),
            probe=probe,
            probe_every=self._probe_every,
            watch=report,
            resume_with=resume_with,
            exits=exits,
        )
        interrupted = done < self.generations
        view.stop(done, interrupted)
        if interrupted:
            return None
        if self.test_lifetimes:
            view.say("testing ...")
            run.write_results(self.results(rule) | run.origin())
        return rule

    def results(self, rule: Rule) -> dict[str, Any]:
        """The rule beside random play and what is best known, in each environment of its own."""
        tested = {}
        for world in dict.fromkeys((*self.environments, *self.tests)):
            slow = is_on_host(world), isinstance(self.algorithm, LearnsFromRollouts)
            lifetimes = max(2, self.test_lifetimes // 8 ** sum(slow))
            rules = {"rule": rule, **references(world, self.lifetime)}
            tested[named(world)] = {
                who: meta_test(each, world, lifetimes, self.lifetime, self.seed).to_json()
                for who, each in rules.items()
            }
        return {
            "experiment": RECIPE,
            "seed": self.seed,
            "algorithm": describe(self.algorithm, CLASSES),
            "trained_on": [named(world) for world in self.environments],
            "length": self.lifetime,
            "generations": self.generations,
            "tests": tested,
        }

    def _start(self, run: RunFolder) -> Params | None:
        """The meta-parameters that `run` has for the beginning. None: fresh ones, or none needed
        because there is a checkpoint of this very recipe."""
        if any(run.checkpoints()):
            found = run.newest_checkpoint(warn=False)
            changes = self.differences(found.manifest, found.path, BUDGET)
            if changes:
                raise CheckpointError(
                    f"{run.path} was trained by another recipe than {run.config_path.name} has:\n  "
                    + "\n  ".join(changes)
                )
            return None
        return load(run.start_path).params if self.start else None

    def differences(
        self, card: Mapping[str, Any], where: Path, but: Collection[str] = ()
    ) -> list[str]:
        """How a card's training, described by whatever version, differs from this recipe's.

        `but` names what may differ. Raises CheckpointError for what this version does not know.
        """
        mine, training = self.card(), dict(card.get("training", {}))
        if "outer" in training:  # as this version describes it: new fields at their default
            training["outer"] = describe(rebuild(training["outer"], CLASSES, where), CLASSES)
        algorithm = describe(rebuild(card.get("algorithm"), CLASSES, where), CLASSES)
        worlds = rewritten(str(card.get("trained_on")), CLASSES)
        before = {"algorithm": algorithm, "trained_on": worlds, **training}
        now = {key: mine[key] for key in ("algorithm", "trained_on")} | mine["training"]
        before, now = ({k: x for k, x in each.items() if k not in but} for each in (before, now))
        return differences({key: before.get(key) for key in now}, now)

    def where(self) -> tuple[str | None, dict[str, Any]]:
        """The first environment as a person names it, if that can be, and how it is changed in the
        words of `meta_test`. How its rewards were changed is left out: the sizes are the same."""
        world: Any = self.environments[0]
        changes: dict[str, Any] = {}
        while not is_on_host(world) and name_of(world) is None and hasattr(world, "environment"):
            if isinstance(world, Permuted):
                changes["permute"] = True
            elif isinstance(world, Projected):
                changes["project"] = world.size
            world = world.environment
        return world.name if is_on_host(world) else name_of(world), changes

    def tiny(self) -> Recipe:
        """The same, so small that it shows only that everything runs."""
        algorithm: Any = self.algorithm  # of a class that has these fields, as all recipes' are
        outer: Any = self.outer
        if isinstance(algorithm, MetaGenRL):
            algorithm = replace(algorithm, units=(4,), batch=8, chunks=2)
            outer = replace(outer, population=3 * len(self.environments), lifetime=2 * self.length)
            return replace(self, algorithm=algorithm, outer=outer, generations=2)
        smaller: dict[str, Any] = {"hidden_size": 4}
        length = min(self.length, 20)
        if isinstance(algorithm, LearnsFromRollouts):  # for at most three calls of `learn`
            smaller = {"units": (4,), "interval": 4, "workers": 2}
            smaller |= {"history": 24} if hasattr(algorithm, "history") else {}
            length = 4 * min(3, self.length // algorithm.interval)
        lives = {"lifetime": 2 * length} if getattr(outer, "lifetime", 0) else {}
        return replace(
            self,
            algorithm=replace(algorithm, **smaller),
            outer=replace(outer, population=4, **lives),
            lifetimes=1,
            length=length,
            generations=2,
        )


def begin(run: RunFolder, recipe: Recipe, start: Rule | None = None, **more: Any) -> None:
    """Make the run's folder, or check that it has this very recipe and note that it goes on.

    `start` is the rule to begin with, `more` what else its configuration has. Raises SettingError
    if another run lives there, CheckpointError if it drew other random numbers.
    """
    settings = describe(recipe, CLASSES)
    if not run.config_path.exists():
        if start is not None and run.writer:  # first: whatever has a configuration can go on
            run.path.mkdir(parents=True, exist_ok=True)
            start.save(run.start_path)
        config = {"experiment": RECIPE, "seed": recipe.seed, "settings": settings, **more}
        run.create({**config, "streams": streams.VERSION, **provenance()})
        return
    refuse_other_settings(run, recipe)
    run.note_resume(provenance(), settings)


def refuse_other_settings(run: RunFolder, recipe: Recipe) -> None:
    """Raises SettingError if `run` was begun with another recipe, CheckpointError if it drew other
    random numbers."""
    config = run.config()
    streams.check_version(config.get("streams", 1), run.path)
    changes = []
    if config["experiment"] == RECIPE:  # as this version describes it, new fields at their default
        before = from_settings(Recipe, config["settings"], run.config_path, CLASSES)
        changes = differences(describe(before, CLASSES), describe(recipe, CLASSES))
    if config["experiment"] != RECIPE or changes:
        raise SettingError(
            f"{run.path} was begun with other settings: delete it, or take another folder"
            + "".join(f"\n  {change}" for change in changes)
        )
