"""`symla.meta_train`: meta-train a learning algorithm on any environments, from Python."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from symla.algorithms import LearningAlgorithm
from symla.core import streams
from symla.core.errors import SettingError, require
from symla.core.optimisers import Optimiser
from symla.evaluation.evaluate import find
from symla.experiments.environment_training import OuterSettings
from symla.experiments.recipes import CLASSES, Recipe
from symla.lifetimes.host import is_on_host, spec_of
from symla.outer import OuterLoop, PolicyGradient
from symla.report.terminal import console
from symla.report.training_view import TrainingView
from symla.rules.loading import export, load
from symla.rules.rule import Rule
from symla.runtime.provenance import provenance
from symla.store import RECIPE, RunFolder, describe, differences, from_settings

LENGTHS = (100, 500)  # of a lifetime, if nobody says it
EPISODES = 5  # in such a lifetime


def meta_train(
    algorithm: LearningAlgorithm,
    environments: Any,
    *,
    outer: OuterLoop | str = "evolution-strategies",
    generations: int = 300,
    lifetimes: int | None = None,
    length: int | None = None,
    seed: int = 0,
    start: Rule | str | None = None,
    probes: Any = (),
    tests: Any = (),
    run_dir: str | os.PathLike[str] | None = None,
    watch: Callable[[Mapping[str, float]], None] | None = None,
    quiet: bool = False,
) -> Rule:
    """Meta-train `algorithm` on one environment, or on a list of them in turn; return the rule.

        rule = symla.meta_train(symla.SymLA(), [Corridor(9), Corridor(15)], generations=200)
        rule.save("mine.safetensors")

    Environments are objects or names, in JAX or of Gymnasium. `outer` is an outer loop or the name
    of one, with its defaults. `start` is the rule to begin with. The best checkpoint is chosen in
    `probes`, by default in the environments trained on, and on tasks that neither the training nor
    a test sees; what is returned is the last one, the best stands in the run folder.

    The run lives in `run_dir` (by default runs/NAME-seedS-DATE-TIME): config, metrics, checkpoints.
    If the same training was begun there it goes on from its newest checkpoint; Ctrl-C keeps what
    was reached and raises KeyboardInterrupt. `watch` gets every row of metrics, a dictionary of
    numbers, as they come. Raises SettingError for settings outside their ranges, or another run in
    `run_dir`; FaultyEnvironmentError for an environment that breaks its contract.
    """
    worlds = _as_list(environments)
    begins = start.card.get("summary", "given") if isinstance(start, Rule) else start
    recipe = recipe_of(
        algorithm,
        worlds,
        outer if not isinstance(outer, str) else OuterSettings(outer, generations).build,  # type: ignore[arg-type]
        generations=generations,
        lifetimes=lifetimes,
        length=length,
        seed=seed,
        start=str(begins or ""),
        probes=_as_list(probes),
        tests=_as_list(tests),
    )
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = Path(run_dir or Path("runs") / f"{type(worlds[0]).__name__}-seed{seed}-{stamp}")
    run = RunFolder(path)
    with run.locked() if run.config_path.exists() else _nothing():
        begin(run, recipe, start)
    view = TrainingView(console)
    view.console.quiet, before = quiet or view.console.quiet, view.console.quiet
    try:
        rule = recipe.run(run, view, path.name, watch=watch)
    finally:
        view.close()
        view.console.quiet = before
    if rule is None:
        raise KeyboardInterrupt(f"stopped; the same call with run_dir={str(path)!r} goes on")
    return rule
