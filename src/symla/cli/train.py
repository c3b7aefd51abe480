"""`symla train` and `symla resume`: from what a person types to a run folder with results.

jax is imported late: `--help` and a misspelt word answer at once.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, field, make_dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from symla.cli.options import ResumeOptions, TrainOptions, parse
from symla.core.errors import CheckpointError, SettingError, UnknownNameError, require
from symla.core.text import summary, typed
from symla.experiments import EXPERIMENTS, Experiment
from symla.report.terminal import console, print_table
from symla.report.training_view import TrainingView
from symla.runtime import processes
from symla.runtime.machine import is_writer, prepare_jax, same_everywhere
from symla.runtime.signals import STOPPED, interruptible
from symla.store import RECIPE, RunFolder, differences, from_settings, new_folder


def train(arguments: Sequence[str]) -> int:
    """Meta-train a learning algorithm: symla train EXPERIMENT [options]"""
    experiments = [f"  {name:<12} {summary(e)}" for name, e in EXPERIMENTS.items()]
    usage = "usage: symla train EXPERIMENT [options]\n\nexperiments:\n" + "\n".join(experiments)
    usage += "\n\nsymla train EXPERIMENT --help shows the options of one."
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage)
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in EXPERIMENTS:
        raise UnknownNameError("experiment", name, EXPERIMENTS)
    Command = make_dataclass(
        "Command", [("options", TrainOptions), ("settings", EXPERIMENTS[name])], frozen=True
    )
    parsed = parse(Command, rest, f"train {name}", summary(EXPERIMENTS[name]))
    options, experiment = parsed.options, parsed.settings
    prepare_jax(options.machine)
    experiment.training(options.seed)  # refuses wrong settings before anything is written

    from symla.core import streams
    from symla.runtime.provenance import provenance

    config = {
        "experiment": name,
        "seed": options.seed,
        "settings": asdict(experiment),
        "streams": streams.VERSION,
    }

    schedule = options.saving.build()
    same_everywhere(config)
    path = options.run_dir or _new_folder(f"{name}-seed{options.seed}")
    run = RunFolder(path, is_writer(), schedule)

    def begin() -> int:
        run.create({**config, **provenance()})
        with run.locked():
            return _run(experiment, options.seed, run)

    return _interruptible(begin, run)


def _new_folder(name: str) -> Path:
    path = Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    return new_folder(path) if is_writer() else path


def resume(arguments: Sequence[str]) -> int:
    """Continue an interrupted run: symla resume RUN"""
    if not arguments or arguments[0].startswith("-"):  # the run, and so its settings, are unknown
        path = parse(ResumeOptions, arguments, "resume", ResumeOptions.__doc__).run
        rest = list(arguments)
        rest.remove(next(x for x in rest if Path(x) == path))
        arguments = [str(path), *rest]
    folder = RunFolder(Path(arguments[0]))
    config = folder.config()
    name, seed = config["experiment"], config["seed"]
    if name == RECIPE:
        return _resume_recipe(folder, config, arguments)
    if name not in EXPERIMENTS:
        begun = f"; it was begun by `{config['command']}`" if "command" in config else ""
        raise UnknownNameError("experiment", name, EXPERIMENTS, begun)
    stored = from_settings(EXPERIMENTS[name], config["settings"], folder.config_path)
    settings_field = "settings", EXPERIMENTS[name], field(default=stored)
    Command = make_dataclass("Command", [("options", ResumeOptions), settings_field], frozen=True)
    parsed = parse(Command, arguments, "resume", ResumeOptions.__doc__)
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
        _changes(run, experiment, name, seed, options.allow_changes)  # refuses others, as ever
        return _say_finished(run, f"`symla resume {typed(run.path)} --generations N` goes on")

    def go_on() -> int:
        with run.locked():
            changes = _changes(run, experiment, name, seed, options.allow_changes)
            run.note_resume(provenance() | ({"changes": changes} if changes else {}), settings)
            return _run(experiment, seed, run, changes)

    return _interruptible(go_on, run)


def _resume_recipe(folder: RunFolder, config: Mapping[str, Any], arguments: Sequence[str]) -> int:
    """A run that `symla reproduce` began: its settings are a recipe's, and no option."""
    options = parse(ResumeOptions, arguments, "resume", ResumeOptions.__doc__)
    require(
        not options.allow_changes,
        f"{folder.path} has the settings of a figure's recipe, none of which is an option: leave "
        "--allow-changes out",
    )
    schedule = options.saving.build()
    prepare_jax(options.machine)
    from symla.core import streams
    from symla.experiments.recipes import CLASSES, Recipe
    from symla.runtime.provenance import provenance

    streams.check_version(config.get("streams", 1), folder.path)
    recipe = from_settings(Recipe, config["settings"], folder.config_path, CLASSES)
    same_everywhere({"experiment": RECIPE, "settings": config["settings"]})
    run = RunFolder(folder.path, is_writer(), schedule)
    if recipe.finished(run):
        return _say_finished(run, f"`symla test {typed(run.path)}` tests its rule")

    def go_on() -> int:
        with run.locked():
            run.note_resume(provenance(), config["settings"])
            view = _view(run)
            view.say(f"run folder: {run.path}")
            try:
                rule = recipe.run(run, view, config.get("rule", run.path.name))
            finally:
                view.close()
            if rule is None:
                return _stopped(run, view)
            if run.writer:
                _say_how_to_use(run, view, recipe.where())
            return 0

    return _interruptible(go_on, run)


def _say_finished(run: RunFolder, advice: str) -> int:
    _view(run).say(
        f"{run.path} is finished, and nothing in it was touched: it has all its "
        f"{run.generations_done()} generations. `symla report {typed(run.path)}` shows it; {advice}"
    )
    return 0


def _changes(
    run: RunFolder, experiment: Experiment, name: str, seed: int, allowed: bool
) -> list[str]:
    """How the settings differ from those that the run was trained with until now.

    Raises SettingError, with the differences, if other generations would come of it.
    """
    now = {"experiment": name, "seed": seed, **asdict(experiment)}
    before = _trained_with(run) or now
    changes = differences(before, now)
    if not changes or allowed or _same_training(before, experiment, seed, run.path):
        return changes
    raise SettingError(
        f"{run.path} was trained with other settings until now:\n  "
        + "\n  ".join(changes)
        + "\nNothing was touched. Leave them as they were, or add --allow-changes to go on with "
        "the new ones: the run then equals none that began with either"
    )


def _trained_with(run: RunFolder) -> dict[str, Any] | None:
    """Seed, experiment and settings: of the newest checkpoint, else of the configuration."""
    if any(run.checkpoints()):
        trained = run.newest_checkpoint(warn=False).manifest.get("training")
        return trained if isinstance(trained, dict) and "seed" in trained else None
    config = run.config()
    return {"experiment": config["experiment"], "seed": config["seed"], **config["settings"]}


def _same_training(
    before: Mapping[str, Any], experiment: Experiment, seed: int, where: Path
) -> bool:
    """Whether a generation is the same, whatever else (their number, the tests) is not."""
    settings = {key: value for key, value in before.items() if key not in ("experiment", "seed")}
    try:
        trained = from_settings(type(experiment), settings, where).training(before["seed"])
    except (CheckpointError, SettingError):
        return False  # of another experiment
    return trained == experiment.training(seed)


def _interruptible(work: Callable[[], int], run: RunFolder) -> int:
    """`work`; a signal outside of generations, which end by themselves, ends it like one inside."""
    try:
        with interruptible():
            return work()
    except KeyboardInterrupt:
        if run.writer and not run.config_path.exists():
            raise  # there is nothing to continue
        processes.leave("was interrupted")
        return _stopped(run, _view(run))


def _stopped(run: RunFolder, view: TrainingView) -> int:
    view.say(f"continue with: symla resume {typed(run.path)}")
    return STOPPED


def _view(run: RunFolder) -> TrainingView:
    return TrainingView(console if run.writer else Console(quiet=True))


def _run(experiment: Experiment, seed: int, run: RunFolder, changes: Sequence[str] = ()) -> int:
    view = _view(run)
    view.say(f"run folder: {run.path}")
    for change in changes:
        view.say(f"changed: {change}")
    try:
        finished = experiment.run(seed, run, view)
    finally:
        view.close()
    if not finished:
        return _stopped(run, view)
    if not run.writer:
        return 0
    from symla.report.run_figures import draw
    from symla.report.tables import regret_table

    view.say("")
    print_table(console, *regret_table(run.results()))
    figures = draw(run)
    view.say(f"\nfigures: {', '.join(str(path) for path in figures)}")
    results = run.results()
    # Only SymLA goes where it has never been.
    where = "bandit-arms-20" if results["algorithm"] == "symla" else results["trained_on"]
    _say_how_to_use(run, view, where, ".regret")
    return 0


def _say_how_to_use(run: RunFolder, view: TrainingView, where: str, measure: str = "") -> None:
    named = str(run.path)
    named = named if os.sep in named else os.path.join(".", named)  # whatever ships by name
    view.say(
        "\nnext, meta-test it:\n"
        f"    symla test {typed(run.path)} --environment {where}\n"
        "or use it in Python:\n"
        "    import symla\n"
        f"    rule = symla.load({named!r})\n"
        f'    print(symla.meta_test(rule, "{where}"){measure})'
    )
