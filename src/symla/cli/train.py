"""`symla train`: from what a person types to run folders with results.

jax is imported late: `--help` and a misspelt word answer at once.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symla.cli import config_files
from symla.cli.changes import allowed_changes
from symla.cli.options import SavingOptions, TrainOptions, TrainRunOptions, parse
from symla.cli.training_checks import check_settings, check_words, in_stage
from symla.cli.training_help import help_text
from symla.cli.training_runs import (
    Watch,
    run_experiment,
    run_recipe,
    say_finished,
    stoppable,
    view_of,
)
from symla.core.errors import require
from symla.core.text import summary
from symla.experiments import EXPERIMENTS, EnvironmentTraining
from symla.experiments.environment_training import ChoiceSettings, WorldSettings
from symla.experiments.outer_options import OuterSettings
from symla.experiments.training_options import LearnerSettings
from symla.report.tensorboard import tensorboard
from symla.report.terminal import console, print_table
from symla.runtime.machine import MachineOptions, is_writer, prepare_jax, same_everywhere
from symla.store import RunFolder, new_folder

if TYPE_CHECKING:
    from symla.experiments.recipes import Recipe

USAGE = """usage: symla train ENV [ENV ...] [options]      on environments of your choice
       symla train EXPERIMENT [options]         on what an experiment of ours says
       symla train --config FILE [options]      as a TOML file says; every run folder has one

ENV: a name of `symla list`, gymnax:ID, gymnasium:ID, package.module:CLASS; settings after commas:
hearts,size=4. Experiments: {experiments}; `symla train EXPERIMENT --help`."""

_NOTHING_SAID = "say what to train on: symla train ENV [ENV ...] (`symla list`)"
_NOTHING_FIRST = "say what to train on first, then the options: symla train ENV [ENV ...] --option"


@dataclass(frozen=True)
class Job:
    """One training: its run folder, its seed, and what the command line says of it."""

    path: Path
    seed: int
    parsed: Any  # options and settings
    start: Path | None = None  # the run whose rule it begins with


def train(arguments: Sequence[str]) -> int:
    """Meta-train a learning algorithm: symla train ENV [ENV ...] | EXPERIMENT [options]"""
    if not arguments:
        print(_usage())
        return 2
    arguments, stages, own = _with_config(list(arguments))
    words = _leading_words(arguments)
    experiment = words[0] if words and words[0] in EXPERIMENTS else None
    if {"-h", "--help"} & set(arguments):
        print(_help(experiment))
        return 0
    require(
        experiment is None or len(words) == 1,
        f"{experiment} is an experiment, which knows its environments: leave "
        f"{' '.join(words[1:])} out",
    )
    require(not (experiment and stages), "stages are for trainings on environments")
    require(bool(words), _NOTHING_SAID if len(arguments) < 2 else _NOTHING_FIRST)
    parsed = _parsed(experiment, arguments)
    options = parsed.options
    prepare_jax(options.machine)
    if experiment is None:
        check_words(words)
    seeds = options.seeds
    require(len(set(seeds)) == len(seeds) >= 1, f"seeds must differ from each other, got {seeds}")
    each = _of_stages(arguments, stages, own) if stages else [parsed]
    check_settings(each, experiment, seeds)  # before anything is written
    single = len(seeds) == 1 and not stages
    name = experiment or parsed.settings.name
    what: dict[str, Any] = {"experiment": experiment} if experiment else {}
    written = what | config_files.options_of(parsed) | ({"stages": stages} if stages else {})
    if single:
        path = options.run_dir or _new_folder(f"{name}-seed{seeds[0]}")
        return _train(Job(path, seeds[0], parsed), experiment, written, fresh=True)
    group = RunFolder(options.run_dir or _new_folder(f"{name}-{len(seeds)}seeds"), is_writer())
    group.refuse_another_run()
    jobs = list(_jobs(group.path, seeds, each, bool(stages)))
    for job in jobs:
        _refuse_other_settings(job, experiment)
    group.write_options(config_files.toml(written, "symla train --config this file"))
    for job in jobs:
        code = _train(job, experiment, written, fresh=False)
        if code:
            return code
    if is_writer():
        from symla.report.tables import seeds_table

        print_table(console, *seeds_table([RunFolder(job.path) for job in jobs]))
    return 0


def _with_config(arguments: list[str]) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """The arguments with those of the file that --config names before them, its stages, and the
    options that were typed. Raises SettingError for environments that are typed beside stages."""
    arguments = [
        word
        for argument in arguments
        for word in (argument.split("=", 1) if argument.startswith("--config=") else [argument])
    ]
    if "--config" not in arguments:
        return arguments, [], []
    require(arguments.count("--config") == 1, "one --config is enough: put all into one file")
    at = arguments.index("--config")
    require(any(arguments[at + 1 : at + 2]), "--config needs the path of a TOML file")
    options = config_files.read(Path(arguments[at + 1]))
    own = arguments[:at] + arguments[at + 2 :]
    words = _leading_words(own)
    if words:  # instead of what the file has
        options = {k: v for k, v in options.items() if k not in config_files.FIRST}
    given, stages = config_files.arguments(options), options.get("stages", [])
    require(
        not (words and stages),
        f"the stages of {arguments[at + 1]} have their environments: leave {' '.join(words)} out",
    )
    of_stages = [str(x) for stage in stages[:1] for x in stage.get("environments", [])]
    first = words or _leading_words(given) or of_stages
    rest = given[len(_leading_words(given)) :] + own[len(words) :]
    return [*first, *rest], stages, own[len(words) :]


def _leading_words(arguments: Sequence[str]) -> list[str]:
    """What comes before the first option."""
    options = [i for i, word in enumerate(arguments) if word.startswith("-")]
    return list(arguments[: options[0]] if options else arguments)


def _parsed(experiment: str | None, arguments: Sequence[str]) -> Any:
    kind = EXPERIMENTS[experiment] if experiment else EnvironmentTraining
    Command = make_dataclass(
        "Command", [("options", TrainOptions), ("settings", kind)], frozen=True
    )
    rest = arguments[1:] if experiment else arguments
    return parse(Command, rest, f"train {experiment or 'ENV'}", summary(kind))


def _of_stages(
    arguments: Sequence[str], stages: Sequence[Mapping[str, Any]], typed: Sequence[str]
) -> list[Any]:
    """What each stage's options are: those of the file outside of the stages, then its own, then
    what was typed. Raises SettingError, with the number of the stage."""
    parsed = []
    common = arguments[len(_leading_words(arguments)) :]
    for number, stage in enumerate(stages, 1):
        with in_stage(number):
            require("seeds" not in stage, "write seeds above the stages: each trains all of them")
            require("experiment" not in stage, "stages are for trainings on environments")
            require(
                number == 1 or "start" not in stage,
                f"it begins with the rule of stage {number - 1}: leave start out",
            )
            words = [str(x) for x in stage.get("environments", [])]
            rest = {key: x for key, x in stage.items() if key != "environments"}
            given = [*(words or _leading_words(arguments)), *common]
            parsed.append(_parsed(None, [*given, *config_files.arguments(rest), *typed]))
            check_words(words)
    return parsed


def _jobs(path: Path, seeds: Sequence[int], each: Sequence[Any], staged: bool) -> Iterator[Job]:
    """A training for each seed, and for each stage of it."""
    for seed in seeds:
        own, start = path / f"seed-{seed}", None
        for number, parsed in enumerate(each, 1):
            job = Job(own / f"stage-{number}" if staged else own, seed, parsed, start)
            yield job
            start = job.path


def _refuse_other_settings(job: Job, experiment: str | None) -> None:
    """Raises SettingError if the job's run was begun before, with other settings."""
    run = RunFolder(job.path)
    if not run.config_path.exists():
        return
    if experiment:
        allowed_changes(run, job.parsed.settings, experiment, job.seed)
        return
    from symla.experiments.recipes import refuse_other_settings

    refuse_other_settings(run, _recipe(job))


def _train(job: Job, experiment: str | None, written: Mapping[str, Any], *, fresh: bool) -> int:
    """One training, whole or what is left of it; a `fresh` one must find no run in its folder."""
    options, settings = job.parsed.options, job.parsed.settings
    run = RunFolder(job.path, is_writer(), options.saving.build())
    same = {key: x for key, x in written.items() if key not in ("stages", "seeds")}
    text = config_files.toml(same | {"seeds": [job.seed]}, "symla train --config this file")
    if experiment:
        return _train_experiment(experiment, settings, job.seed, run, text, fresh)
    return _train_on_environments(job, run, text, fresh)


def _train_experiment(
    name: str, experiment: Any, seed: int, run: RunFolder, text: str, fresh: bool
) -> int:
    from symla.core import streams
    from symla.runtime.provenance import provenance

    experiment.training(seed)  # refuses wrong settings before anything is written
    settings = asdict(experiment)
    config = {"experiment": name, "seed": seed, "settings": settings, "streams": streams.VERSION}
    same_everywhere(config)
    if not fresh and run.config_path.exists() and experiment.finished(run):
        return say_finished(run, "the next one follows")

    def begin() -> int:
        if fresh or not run.config_path.exists():
            run.create({**config, **provenance()})
            run.write_options(text)
        else:
            run.note_resume(provenance(), settings)
        with run.locked():
            return run_experiment(experiment, seed, run)

    return stoppable(begin, run)


def _train_on_environments(job: Job, run: RunFolder, text: str, fresh: bool) -> int:
    from symla.experiments.forecast import forecast
    from symla.experiments.recipes import begin
    from symla.rules.loading import load
    from symla.testing.own_classes import quick_check

    recipe = _recipe(job)
    same_everywhere({"settings": repr(recipe)})
    if not fresh and run.config_path.exists() and recipe.finished(run):
        return say_finished(run, "the next one follows")
    if fresh:
        run.refuse_another_run()
    start = load(recipe.start) if recipe.start and not run.config_path.exists() else None

    def go_on() -> int:
        begin(run, recipe, start)
        run.write_options(text)
        with run.locked():
            for world in recipe.environments:
                view_of(run).say(str(quick_check(world)))
            view_of(run).say(f"this will take {forecast(recipe)}")
            return run_recipe(recipe, run, run.path.name, _watch(job.parsed.options, run))

    return stoppable(go_on, run)


def _recipe(job: Job) -> "Recipe":
    settings = job.parsed.settings
    if job.start is not None:
        settings = replace(settings, choice=replace(settings.choice, start=str(job.start)))
    return settings.recipe(job.seed)


def _watch(options: TrainOptions, run: RunFolder) -> Watch:
    if not (options.tensorboard and run.writer):
        return None
    return tensorboard(run.path / "tensorboard")


def _new_folder(name: str) -> Path:
    path = Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    return new_folder(path) if is_writer() else path


def _usage() -> str:
    return (
        USAGE.format(experiments=", ".join(EXPERIMENTS)) + "\n\nsymla train --help has all options."
    )


def _help(experiment: str | None) -> str:
    if experiment is None:
        groups: dict[str, type] = {
            "what to train on": WorldSettings,
            "the learning algorithm": LearnerSettings,
            "the outer loop": OuterSettings,
            "start, choice and test": ChoiceSettings,
        }
        usage = USAGE.format(experiments=", ".join(EXPERIMENTS))
    else:
        groups = EXPERIMENTS[experiment].help_groups()
        usage = f"usage: symla train {experiment} [options]\n\n{summary(EXPERIMENTS[experiment])}"
    ours = {"the run": TrainRunOptions, "saving": SavingOptions, "the machine": MachineOptions}
    return help_text(usage, groups | ours)
