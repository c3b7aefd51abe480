"""`symla.meta_train`: meta-train a learning algorithm on any environments, from Python."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

from rich.console import Console

from symla.algorithms import ALGORITHMS
from symla.algorithms.base import AnyAlgorithm
from symla.core.precision import in_float32
from symla.core.settings import whole
from symla.experiments.fitting import Start, check_fit, of_one_size
from symla.experiments.outer_options import OuterName, OuterSettings, usual_outer
from symla.experiments.recipes import Recipe, begin
from symla.lifetimes.host import is_on_host, spec_of
from symla.lifetimes.resolve import make
from symla.outer import (
    LifetimePPO,
    OuterLoop,
    PolicyGradient,
    Teacher,
    ThroughCritic,
    ThroughUpdates,
)
from symla.report.terminal import console
from symla.report.training_view import TrainingView
from symla.rules.loading import load
from symla.rules.rule import Rule
from symla.runtime.machine import use_all_cores
from symla.store import RunFolder, new_folder
from symla.testing.own_classes import check_before_training

LENGTHS = (100, 500)  # of a lifetime, if nobody says it
EPISODES = 5  # in such a lifetime
TRIAL = 2  # the same of RL^2, as the MetaGenRL paper has it
UPDATES = 2  # through which a gradient goes, if nobody says it, of whole lifetimes
LIVING_UPDATES = 5  # the same of lives that go on
STRETCH = 32  # steps that a life which goes on lives in a generation, if nobody says it


@in_float32
def meta_train(
    algorithm: AnyAlgorithm,
    environments: Any,
    *,
    outer: OuterLoop | OuterName | None = None,
    generations: int = 300,
    lifetimes: int | None = None,
    length: int | None = None,
    seed: SupportsIndex = 0,
    start: Rule | str | None = None,
    probes: Any = (),
    run_dir: str | os.PathLike[str] | None = None,
    watch: Callable[[Mapping[str, Any]], None] | None = None,
    quiet: bool = False,
) -> Rule:
    """Meta-train `algorithm` on one environment, or on several in turn, and return the rule.

        rule = symla.meta_train(symla.SymLA(), [Corridor(9), Corridor(15)], generations=200)
        rule.save("mine.safetensors")

    Environments are whatever `symla.make` takes, names or objects, in JAX or of Gymnasium. `outer`
    is an outer loop, or the name of one with its defaults; by default what suits the algorithm,
    evolution strategies for most. `start` is the rule to begin with. The
    best checkpoint, which stands in the run folder, is chosen in `probes`, by default where it is
    trained, on tasks that neither the training nor a test sees; what is returned is the last one.

    The run lives in `run_dir`, by default runs/NAME-seedS-DATE-TIME. If the same training was begun
    there, it goes on from its newest checkpoint. Ctrl-C keeps what was reached, and raises
    KeyboardInterrupt. `watch` gets each row of metrics, a dictionary of numbers, as it comes. A
    program that has not used JAX before gets each core of a CPU as a device of its own, and trains
    on all; else it trains on the devices that JAX has.

    Raises SettingError for settings outside their ranges and for another run in `run_dir`,
    UnknownNameError for an unknown name, FaultyEnvironmentError and FaultyAlgorithmError for an
    environment or an algorithm that breaks its contract.
    """
    use_all_cores()
    generations = whole(generations, "generations")
    lifetimes = None if lifetimes is None else whole(lifetimes, "lifetimes")
    length = None if length is None else whole(length, "length")
    worlds = _as_tuple(environments)
    if outer is None or isinstance(outer, str):
        settings = OuterSettings(outer, generations, lifetimes=lifetimes)
        settings = usual_outer(_name_of(algorithm), settings)
        search: Any = settings.build
        lifetimes = settings.lifetimes
    else:
        search = outer
    rule = load(start) if isinstance(start, str) else start
    recipe = recipe_of(
        algorithm,
        worlds,
        search,
        generations=generations,
        lifetimes=lifetimes,
        length=length,
        seed=whole(seed, "seed"),
        start=start if isinstance(start, str) else ("given" if start else ""),
        probes=_as_tuple(probes),
    )
    check_fit(recipe, Start.of(rule) if rule else None)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = f"{type(worlds[0]).__name__.lower()}-seed{seed}-{stamp}"
    run = RunFolder(Path(run_dir) if run_dir else new_folder(Path("runs") / name))
    begin(run, recipe, rule)
    view = TrainingView(Console(quiet=True) if quiet else console)
    again = f"symla.meta_train(..., run_dir={str(run.path)!r})"
    try:
        trained = recipe.run(run, view, run.path.name, again, watch, exits=False)
    finally:
        view.close()
    if trained is None:
        raise KeyboardInterrupt(f"stopped; {again} goes on from there")
    return trained


def recipe_of(
    algorithm: AnyAlgorithm,
    worlds: tuple[Any, ...],
    search: OuterLoop | Callable[[bool], OuterLoop],
    *,
    generations: int,
    lifetimes: int | None,
    length: int | None,
    seed: int,
    start: str = "",
    probes: tuple[Any, ...] = (),
    tests: tuple[Any, ...] = (),
    test_lifetimes: int = 0,
) -> Recipe:
    """The recipe with what follows from the environments, where nobody said it.

    `search` is an outer loop, or makes one and is told whether an environment is on the host.
    """
    check_before_training(algorithm, worlds)
    worlds, probes, tests = of_one_size(algorithm, worlds, probes, tests)
    on_host = any(map(is_on_host, worlds))
    outer = search(on_host) if callable(search) else search
    by_gradient = isinstance(outer, PolicyGradient | LifetimePPO | Teacher)
    usual = 16 if by_gradient else 4 if on_host else 8
    if isinstance(outer, ThroughUpdates | ThroughCritic):
        usual = 1
    recipe = Recipe(
        algorithm,
        worlds,
        outer,
        usual if lifetimes is None else lifetimes,
        _length(algorithm, outer, worlds) if length is None else length,
        generations,
        seed,
        start,
        probes,
        tests,
        test_lifetimes,
    )
    recipe.training()  # raises SettingError outside ranges
    return recipe


def usual_length(world: Any) -> int:
    """Steps of a lifetime in which there is something to learn: EPISODES, within LENGTHS."""
    low, high = LENGTHS
    episode = spec_of(world).episode_length
    return low if episode is None else min(max(low, EPISODES * episode), high)


def _length(algorithm: AnyAlgorithm, outer: OuterLoop, worlds: Sequence[Any]) -> int:
    """Steps of a generation where nobody says how many: of a stretch, where lives go on."""
    lifetime = getattr(outer, "lifetime", 0)
    if isinstance(outer, ThroughCritic):
        return getattr(algorithm, "interval", 1)
    if isinstance(outer, ThroughUpdates):
        updates = LIVING_UPDATES if lifetime else UPDATES
        return (updates + 1) * getattr(algorithm, "interval", 1)
    if lifetime:
        return lifetime if lifetime % STRETCH else min(lifetime, STRETCH)
    if isinstance(outer, LifetimePPO):
        return max(TRIAL * (spec_of(world).episode_length or LENGTHS[0]) for world in worlds)
    return max(map(usual_length, worlds))


def _name_of(algorithm: AnyAlgorithm) -> str:
    """What ALGORITHMS calls it; nothing, if it is a person's own."""
    return next((name for name, kind in ALGORITHMS.items() if kind is type(algorithm)), "")


def _as_tuple(environments: Any) -> tuple[Any, ...]:
    several = environments if isinstance(environments, list | tuple) else (environments,)
    return tuple(map(make, several))
