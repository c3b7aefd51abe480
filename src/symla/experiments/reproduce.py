"""`symla reproduce`: train what is missing, test, judge, store. The same for every figure.

`results/FIGURE/` keeps the rules with their cards and `results.json`; training runs live in
`runs/FIGURE/`, as any other run, and continue where they stopped, as long tests do. Figures that
share their rules keep them in one folder.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from symla.core.errors import CheckpointError, LockedError, require
from symla.experiments.all_learners import AllLearners
from symla.experiments.base import View
from symla.experiments.figures import Figure
from symla.experiments.forecast import clock, seconds_of
from symla.experiments.kept_lives import kept_in
from symla.experiments.measures import to_json
from symla.experiments.metagenrl.inner_steps import InnerSteps
from symla.experiments.metagenrl.left_out import WhatMattered, WithoutInputs
from symla.experiments.metagenrl.more_training import LongOnOne, MoreTraining
from symla.experiments.metagenrl.simulators import PublishedTable2, SimulatorsTable2
from symla.experiments.metagenrl.table2 import Table2
from symla.experiments.recipes import Recipe, begin
from symla.experiments.symla.as_made import AsMade
from symla.experiments.symla.biased_arms import BiasedArms
from symla.experiments.symla.figure3 import Figure3
from symla.experiments.symla.figure4 import Figure4
from symla.experiments.symla.figure5 import Figure5
from symla.experiments.symla.figure6 import Figure6
from symla.experiments.symla.figure7 import Figure7
from symla.rules.loading import load
from symla.rules.rule import Rule
from symla.runtime.provenance import command, provenance
from symla.store import RunFolder, load_manifest, write_json

Scale = Literal["test", "full", "tiny", "jax", "simulators", "paper"]
WAIT_SECONDS = 2.0  # between two looks at a rule that another process trains
TINY = 0.02  # of the length of test lifetimes, at `--scale tiny`
FIGURES: dict[str, type[Figure]] = {
    "figure3": Figure3,
    "figure4": Figure4,
    "figure5": Figure5,
    "figure6": Figure6,
    "figure7": Figure7,
    "biased-arms": BiasedArms,
    "cartpole-as-made": AsMade,
    "metagenrl-table2": Table2,
    "metagenrl-figure4": MoreTraining,
    "metagenrl-figure5": WithoutInputs,
    "metagenrl-figure6": InnerSteps,
    "metagenrl-figure10": LongOnOne,
    "metagenrl-what-mattered": WhatMattered,
    "all-learners": AllLearners,
}
# Several at once: the SymLA paper in minutes, the others in tens of minutes each.
SEVERAL = {
    "all": [name for name in FIGURES if name.startswith("figure")] + ["biased-arms"],
    "metagenrl": [name for name in FIGURES if name.startswith("metagenrl")],
}
# At a scale of their own, `--scale simulators` or `--scale paper`.
LARGER: dict[str, type[Figure]] = {
    "metagenrl-table2-simulators": SimulatorsTable2,
    "metagenrl-table2-paper": PublishedTable2,
}


def figures() -> dict[str, Figure]:
    """By the names a person types."""
    return {name: kind() for name, kind in FIGURES.items()}


def at_scale(name: str, scale: Scale) -> tuple[str, Scale]:
    """The figure of that name at a scale of its own, if it is one, and what is to be done there:
    all of it. Raises SettingError for a figure that has no such scale."""
    if scale == "jax":
        require(name.startswith("metagenrl"), f"--scale jax is for metagenrl-..., not for {name}")
        return name, "test"
    if scale not in ("simulators", "paper"):
        return name, scale
    larger = f"{name}-{scale}"
    known = " and ".join(x.removesuffix(f"-{scale}") for x in LARGER if x.endswith(scale))
    require(larger in LARGER, f"--scale {scale} is for {known}, not for {name}")
    return larger, "full"


def reproduce(
    name: str, scale: Scale, lifetimes: int, results: Path, runs: Path, view: View, only: str = ""
) -> dict[str, Any] | None:
    """Results of the figure, also written to `results/NAME/results.json`.

    At `full` scale every rule whose card does not match its recipe is trained first; `only` keeps
    to recipes whose name contains it, and measures nothing: the results are empty. None if a signal
    ended the training.
    """
    figure, folder = (FIGURES | LARGER)[name](), results / name
    shared = getattr(figure, "rules_in", name)
    recipes = figure.recipes()
    if scale == "tiny":  # one seed stands for all
        recipes = {who: r.tiny() for who, r in recipes.items() if r.seed == 0}
    if scale != "test":
        wanted = [who for who in recipes if only in who]
        if cost := cost_of_training(wanted, recipes, results / shared):
            view.say(f"{name}: {cost}")
        if not train_all(wanted, recipes, results / shared, runs / shared, view):
            return None
    if only:
        return {}
    rules = {who: stored_rule(who, results / shared) for who in recipes}
    if scale == "tiny":
        rules = {who: rules[f"{who.rpartition('-')[0]}-0"] for who in figure.recipes()}
    view.say(f"{name}: testing {len(rules)} rules ...")
    begun = time.monotonic()
    with kept_in(runs / shared / "lives"):
        measured = figure.measure(rules, lifetimes, TINY if scale == "tiny" else 1.0)
    report = {
        "figure": name,
        "title": figure.title,
        "lifetimes": lifetimes,
        "seconds_of_testing": round(time.monotonic() - begun, 1),
        "environment_steps_of_training": sum(r.environment_steps for r in recipes.values()),
        **provenance(),
        **to_json(measured),
        "verdicts": [verdict._asdict() for verdict in figure.verdicts(measured)],
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "results.json", report)
    return report


def is_there(name: str, results: Path) -> bool:
    """Whether all rules of that figure are."""
    figure = figures()[name]
    folder = results / getattr(figure, "rules_in", name)
    return all(_found(who, folder).exists() for who in figure.recipes())


def cost_of_training(wanted: Sequence[str], recipes: Mapping[str, Recipe], folder: Path) -> str:
    """Of those that are not there yet, and of what they begin with, one after the other: as long as
    the same took that come with the package, each on what its card says, or else as `forecast` has
    it. Nothing, if all are there."""
    missing: dict[str, Recipe] = {}
    for who in wanted:
        while who and who not in missing and not trained(who, recipes[who], folder):
            missing[who] = recipes[who]
            who = recipes[who].start
    if not missing:
        return ""
    took = [_took(who, recipe, folder) or seconds_of(recipe) for who, recipe in missing.items()]
    steps = sum(recipe.environment_steps for recipe in missing.values())
    known = f", about {clock(sum(took))}" if any(took) else ""
    unknown = f"; how long {took.count(0.0)} of them take is not known" if 0.0 in took else ""
    rules = "1 rule is" if len(missing) == 1 else f"{len(missing)} rules are"
    return f"{rules} to be trained: {steps:.1e} environment steps{known}{unknown}"


def _took(who: str, recipe: Recipe, folder: Path) -> float:
    """Seconds of this very training where a rule of it is stored; 0 if there is none."""
    card = _found(who, folder)
    there = trained(who, recipe, card.parent)
    return float(load_manifest(card).get("seconds_of_training", 0.0)) if there else 0.0


def train_all(
    wanted: Sequence[str], recipes: Mapping[str, Recipe], folder: Path, runs: Path, view: View
) -> bool:
    """Train the rules of that name. False if interrupted.

    Those that another process is training are left to it, and waited for: two that are started
    together share the work.
    """
    told = False
    while wanted:
        busy = []
        for who in wanted:
            try:
                if not train(who, recipes[who], recipes, folder, runs, view):
                    return False
            except LockedError as error:
                busy.append(who)
                last = error
        if len(busy) == len(wanted):
            if not told:
                view.say(f"waiting: {last}")
            told = True
            time.sleep(WAIT_SECONDS)
        wanted = busy
    return True


def train(
    who: str, recipe: Recipe, recipes: Mapping[str, Recipe], folder: Path, runs: Path, view: View
) -> bool:
    """Train one rule, unless it is there, and write it with its card. False if interrupted.

    Raises SettingError if its run was begun by another recipe, LockedError if another process is
    training it.
    """
    if trained(who, recipe, folder):
        return True
    if recipe.start and not train(recipe.start, recipes[recipe.start], recipes, folder, runs, view):
        return False
    run = RunFolder(runs / who)
    run.path.mkdir(parents=True, exist_ok=True)
    with run.locked():
        if trained(who, recipe, folder):  # by the process that held the lock until now
            return True
        begin(run, recipe, stored_rule(recipe.start, folder) if recipe.start else None, rule=who)
        rule = recipe.run(run, view, who, resume_with=command())
        if rule is None:
            return False
        seconds = run.metrics()[-1]["seconds"]
        folder.mkdir(parents=True, exist_ok=True)
        rule.save(folder / f"{who}.safetensors", seconds_of_training=seconds)
    return True


def trained(who: str, recipe: Recipe, folder: Path) -> bool:
    """Whether the rule is there, made by this very recipe."""
    card = folder / f"{who}.json"
    if not card.exists():
        return False
    return not recipe.differences(load_manifest(card), card)


def stored_rule(who: str, folder: Path) -> Rule:
    """Raises CheckpointError if it is not there."""
    path = _found(who, folder).with_suffix(".safetensors")
    if not path.exists():
        raise CheckpointError(
            f"{path} is not there: say where the rules of the figures are with --results, or train "
            "them with --scale full"
        )
    return load(path)


def _found(who: str, folder: Path) -> Path:
    """The card of a rule: in `folder`, else where the package has those that come with it."""
    here = Path(__file__)
    places = (
        folder,
        here.with_name("stored") / folder.name,
        here.parents[3] / "results" / folder.name,
    )
    cards = (place / f"{who}.json" for place in places)
    return next(filter(Path.exists, cards), folder / f"{who}.json")
