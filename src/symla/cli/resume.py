"""`symla resume`: continue a run, exactly where its newest checkpoint is.

jax is imported late: `--help` and a misspelt word answer at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, make_dataclass, replace
from pathlib import Path
from typing import Any

from symla.cli.changes import allowed_changes
from symla.cli.options import ResumeOptions, ResumeRecipeOptions, parse
from symla.cli.test import resume_test
from symla.cli.train import train
from symla.cli.training_runs import run_experiment, run_recipe, say_finished, stoppable
from symla.core.errors import UnknownNameError, require
from symla.core.text import summary, typed
from symla.experiments import EXPERIMENTS
from symla.runtime.machine import is_writer, prepare_jax, same_everywhere
from symla.store import RECIPE, TEST, RunFolder, from_settings


def resume(arguments: Sequence[str]) -> int:
    """Continue an interrupted run: symla resume RUN"""
    if not arguments or arguments[0].startswith("-"):  # the run, and so its settings, are unknown
        first = _run_among(arguments)
        rest = list(arguments)
        rest.remove(first)
        arguments = [first, *rest]
    require(bool(arguments[0]), "an empty word is no run: symla resume RUN")
    folder = RunFolder(Path(arguments[0]))
    if folder.is_group():
        return train(["--config", str(folder.options_path), "--run-dir", *arguments])
    config = folder.config()
    name, seed = config["experiment"], config["seed"]
    if name == TEST:
        options = parse(ResumeOptions, arguments, "resume")
        prepare_jax(options.machine)
        return resume_test(RunFolder(folder.path, True, options.saving.build()), config)
    if name == RECIPE:
        return _resume_recipe(folder, config, arguments)
    if name not in EXPERIMENTS:
        begun = f"; it was begun by `{config['command']}`" if "command" in config else ""
        raise UnknownNameError("experiment", name, EXPERIMENTS, begun)
    stored = from_settings(EXPERIMENTS[name], config["settings"], folder.config_path)
    settings_field = "settings", EXPERIMENTS[name], field(default=stored)
    Command = make_dataclass("Command", [("options", ResumeOptions), settings_field], frozen=True)
    parsed = parse(Command, arguments, "resume", summary(ResumeOptions))
    options, experiment = parsed.options, parsed.settings
    schedule = options.saving.build()
    prepare_jax(options.machine)
    settings = asdict(experiment)
    same_everywhere({"experiment": name, "seed": seed, "settings": settings})
    experiment.training(seed)
    from symla.core import streams
    from symla.runtime.provenance import provenance

    streams.check_version(config.get("streams", 1), folder.path)
    run = RunFolder(folder.path, is_writer(), schedule)
    if experiment.finished(run):
        allowed_changes(
            run, experiment, name, seed, options.allow_changes
        )  # refuses others, as ever
        return say_finished(run, f"`symla resume {typed(run.path)} --generations N` goes on")

    def go_on() -> int:
        with run.locked():
            changes = allowed_changes(run, experiment, name, seed, options.allow_changes)
            run.note_resume(provenance() | ({"changes": changes} if changes else {}), settings)
            return run_experiment(experiment, seed, run, changes)

    return stoppable(go_on, run)


def _run_among(arguments: Sequence[str]) -> str:
    """The word that stands for the run. Raises SettingError if there is none."""
    words = [word for word in arguments if not word.startswith("-")]
    runs = [RunFolder(Path(word)) for word in words]
    found = [word for word, run in zip(words, runs) if run.config_path.exists() or run.is_group()]
    if found:
        return found[0]
    path = parse(ResumeRecipeOptions, arguments, "resume").run
    return next(word for word in words if Path(word) == path)


def _resume_recipe(folder: RunFolder, config: Mapping[str, Any], arguments: Sequence[str]) -> int:
    """A run on environments, or of a figure: of its settings only `generations` is an option."""
    options = parse(ResumeRecipeOptions, arguments, "resume")
    require(
        not options.allow_changes,
        f"{folder.path} has the settings of a recipe, of which only --generations can be given "
        "anew: leave --allow-changes out",
    )
    schedule = options.saving.build()
    prepare_jax(options.machine)
    from symla.core import streams
    from symla.experiments.recipes import CLASSES, Recipe
    from symla.runtime.provenance import provenance

    streams.check_version(config.get("streams", 1), folder.path)
    recipe = from_settings(Recipe, config["settings"], folder.config_path, CLASSES)
    longest = getattr(recipe.outer, "generations", 0)  # of a schedule that ends at a rate of 0
    anew = f"`symla train ... --start {typed(folder.path)}` begins another training with its rule"
    if options.generations is not None:
        require(
            not longest or options.generations <= longest,
            f"the learning rate of {folder.path} falls to 0 at generation {longest}, as it was "
            f"begun, so that more generations would change nothing: {anew}",
        )
        recipe = replace(recipe, generations=options.generations)
    settings = {**config["settings"], "generations": recipe.generations}
    same_everywhere({"experiment": RECIPE, "settings": settings})
    run = RunFolder(folder.path, is_writer(), schedule)
    if recipe.finished(run):
        more = f"`symla resume {typed(run.path)} --generations N` goes on"
        return say_finished(run, anew if longest else more)

    def go_on() -> int:
        with run.locked():
            run.note_resume(provenance(), settings)
            return run_recipe(recipe, run, config.get("rule", run.path.name))

    return stoppable(go_on, run)
