"""`symla reproduce`: train what is missing, test, judge, store. The same for every figure.

Room: experiments. `results/FIGURE/` keeps the rules with their cards and `results.json`; training
runs live in `runs/FIGURE/` and continue where they stopped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from symla.core.errors import CheckpointError, SettingError
from symla.experiments.recipes import Figure, Recipe

if TYPE_CHECKING:
    from symla.experiments import View
    from symla.rules.rule import Rule

Scale = Literal["test", "full", "tiny"]
TINY = 0.02  # of the length of test lifetimes, at `--scale tiny`
PROBE_SEED = 2**31  # tasks that neither training nor the final test sees


def figures() -> dict[str, Figure]:
    """By the names a person types."""
    from symla.experiments.symla.figure3 import Figure3
    from symla.experiments.symla.figure4 import Figure4
    from symla.experiments.symla.figure5 import Figure5
    from symla.experiments.symla.figure6 import Figure6
    from symla.experiments.symla.figure7 import Figure7

    kinds = (Figure3, Figure4, Figure5, Figure6, Figure7)
    return {kind.__name__.lower(): kind() for kind in kinds}


def reproduce(
    name: str, scale: Scale, lifetimes: int, results: Path, runs: Path, view: View, only: str = ""
) -> dict[str, Any] | None:
    """Results of the figure, also written to `results/NAME/results.json`.

    At `full` scale every rule whose card does not match its recipe is trained first; `only` keeps
    to recipes whose name contains it, and measures nothing: the results are empty. None if a signal
    ended the training.
    """
    from symla.runtime.provenance import provenance
    from symla.store import write_json

    figure, folder = figures()[name], results / name
    recipes = figure.recipes()
    if scale == "tiny":  # one seed stands for all
        recipes = {who: r.tiny() for who, r in recipes.items() if r.seed == 0}
    if scale != "test":
        for who, recipe in recipes.items():
            if only in who and not train(who, recipe, recipes, folder, runs / name, view):
                return None
    if only:
        return {}
    rules = {who: load(who, folder) for who in recipes}
    if scale == "tiny":
        rules = {who: rules[f"{who.rpartition('-')[0]}-0"] for who in figure.recipes()}
    view.say(f"{name}: testing {len(rules)} rules ...")
    begun = time.monotonic()
    measured = figure.measure(rules, lifetimes, TINY if scale == "tiny" else 1.0)
    report = {
        "figure": name,
        "title": figure.title,
        "lifetimes": lifetimes,
        "seconds_of_testing": round(time.monotonic() - begun, 1),
        "environment_steps_of_training": sum(r.environment_steps for r in recipes.values()),
        **provenance(),
        **measured,
        "verdicts": [verdict._asdict() for verdict in figure.verdicts(measured)],
    }
    write_json(folder / "results.json", report)
    return report


def train(
    who: str, recipe: Recipe, recipes: Mapping[str, Recipe], folder: Path, runs: Path, view: View
) -> bool:
    """Train one rule, unless it is there, and write it with its card. False if interrupted.

    Raises SettingError if its run was begun by another recipe.
    """
    from symla.evaluation.evaluate import meta_test
    from symla.rules.loading import export
    from symla.runtime.provenance import command, provenance
    from symla.store import RunFolder
    from symla.training.loop import meta_train

    if trained(who, recipe, folder):
        return True
    start = None
    if recipe.start:
        if not train(recipe.start, recipes[recipe.start], recipes, folder, runs, view):
            return False
        start = load(recipe.start, folder).params

    def probe(rule: Rule) -> dict[str, float]:
        reached = meta_test(rule, recipe.environments[0], 256, recipe.length, PROBE_SEED)
        return {"test_return": reached.return_.mean, "test_return_ci95": reached.return_.ci95}

    run, settings = RunFolder(runs / who), _stored(recipe.card())
    if not run.config_path.exists():
        run.create({"experiment": who, "seed": recipe.seed, "settings": settings, **provenance()})
    elif run.config()["settings"] == settings:
        run.note_resume(provenance(), settings)
    else:
        raise SettingError(
            f"{run.path} was begun by another recipe than {who} has now: delete it, or train "
            "in another folder with --runs"
        )
    view.start(who, "test_return", {})
    rule, done = meta_train(
        recipe.training(),
        recipe.generations,
        run,
        recipe.card() | run.origin(),
        start=start,
        probe=probe,
        probe_every=50,
        watch=view.progress,
        resume_with=command(),
    )
    interrupted = done < recipe.generations
    view.stop(done, interrupted)
    if interrupted:
        return False
    seconds = run.metrics()[-1]["seconds"]
    folder.mkdir(parents=True, exist_ok=True)
    export(rule, folder / f"{who}.safetensors", {"seconds_of_training": seconds})
    return True


def trained(who: str, recipe: Recipe, folder: Path) -> bool:
    """Whether the rule is there, made by this very recipe."""
    from symla.store import read_json

    card = folder / f"{who}.json"
    if not card.exists():
        return False
    found = read_json(card)
    return all(found.get(key) == value for key, value in _stored(recipe.card()).items())


def load(who: str, folder: Path) -> Rule:
    """Raises CheckpointError if it is not there."""
    from symla.rules.loading import load as load_rule

    path = folder / f"{who}.safetensors"
    if not path.exists():
        raise CheckpointError(
            f"{path} is not there. The rules of the figures come with the repository: run this in "
            "its folder, or say where with --results; or train them with --scale full"
        )
    return load_rule(path)


def _stored(card: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: tuples become lists."""
    import json

    return json.loads(json.dumps(card))
