"""The command line: reads what a person types, and hands it to the room that does it.

jax is imported late: `--help` and a misspelt word answer at once. Exit codes: 0 done, 2 the
person's input was wrong, 130 stopped by a signal, with everything kept.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, make_dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console

from symla.console import TrainingView, complain, print_table
from symla.errors import CheckpointError, SettingError, SymlaError, UnknownNameError, require
from symla.experiments import EXPERIMENTS, Experiment
from symla.store import RunFolder, from_settings, write_json

STOPPED = 130

console = Console(highlight=False)


@dataclass(frozen=True)
class TrainOptions:
    seed: int = 0
    """Everything random follows from it. The same seed, machine and versions give the same rule."""
    run_dir: Path | None = None
    """Where the run is kept. Default: runs/EXPERIMENT-seed0-DATE-TIME."""
    devices: int | None = None
    """Devices that share the population; on a CPU, cores. Default: all. The result is the same."""


@dataclass(frozen=True)
class TestOptions:
    """Meta-test a rule: its meta-parameters are frozen, and it learns inside each lifetime."""

    __test__ = False  # not a test, whatever pytest thinks of the name

    algorithm: tyro.conf.Positional[str]
    """A shipped rule, a run folder, a checkpoint (.safetensors), or random, ucb1, thompson,
    bayes-optimal."""
    environment: str | None = None
    """Where it is tested: `symla list` shows the names. Default: where it was trained."""
    lifetimes: int = 1000
    """How many lifetimes it lives. At least 2."""
    length: int = 100
    """Steps in each lifetime. At least 1."""
    seed: int = 0
    """The same seed gives the same tasks to every rule."""
    json: Path | None = None
    """Also write the result to this file."""


@dataclass(frozen=True)
class RunOptions:
    run: tyro.conf.Positional[Path]
    """A run folder."""


@dataclass(frozen=True)
class ResumeOptions:
    """Continue an interrupted run, exactly where its newest checkpoint is."""

    run: tyro.conf.Positional[Path]
    """A run folder."""
    devices: int | None = None
    """Devices that share the population; on a CPU, cores. Default: all. The result is the same."""


@dataclass(frozen=True)
class ListOptions:
    """Show what there is: environments, algorithms, experiments, shipped rules."""


@dataclass(frozen=True)
class DoctorOptions:
    """Show what runs here and why: versions, devices, the kernel, the caches."""


def train(arguments: Sequence[str]) -> int:
    """Meta-train a learning algorithm: symla train EXPERIMENT [options]"""
    experiments = [f"  {name:<12} {_first_line(e)}" for name, e in EXPERIMENTS.items()]
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
    parsed = _parse(Command, rest, f"train {name}", _first_line(EXPERIMENTS[name]))
    options, experiment = parsed.options, parsed.settings
    use_devices(options.devices)
    experiment.training(options.seed)  # refuses wrong settings before anything is written

    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = options.run_dir or Path("runs") / f"{name}-seed{options.seed}-{stamp}"
    run = RunFolder(path)
    from symla.provenance import provenance

    run.create(
        {"experiment": name, "seed": options.seed, "settings": asdict(experiment), **provenance()}
    )
    return _run(experiment, options.seed, run)


def resume(arguments: Sequence[str]) -> int:
    """Continue an interrupted run: symla resume RUN"""
    options = _parse(ResumeOptions, arguments, "resume", ResumeOptions.__doc__)
    use_devices(options.devices)
    run = RunFolder(options.run)
    config = run.config()
    try:
        name, seed, settings = config["experiment"], config["seed"], config["settings"]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{run.config_path} lacks {error}: it is damaged") from error
    if name not in EXPERIMENTS:
        raise UnknownNameError("experiment", name, EXPERIMENTS)
    return _run(from_settings(EXPERIMENTS[name], settings, run.config_path), seed, run)


def _run(experiment: Experiment, seed: int, run: RunFolder) -> int:
    view = TrainingView(console)
    view.say(f"run folder: {run.path}")
    finished = experiment.run(seed, run, view)
    if not finished:
        view.say(f"continue with: symla resume {run.path}")
        return STOPPED
    from symla.report import draw, regret_table

    view.say("")
    print_table(console, *regret_table(run.results()))
    figures = draw(run)
    view.say(f"\nfigures: {', '.join(str(path) for path in figures)}")
    view.say(
        "\nnext, meta-test it where it has never been:\n"
        f"    symla test {run.path} --environment bandit-arms-20\n"
        "or use it in Python:\n"
        "    import symla\n"
        f"    rule = symla.load({str(run.path)!r})\n"
        '    print(symla.meta_test(rule, "bandit-arms-20").regret)'
    )
    return 0


def test(arguments: Sequence[str]) -> int:
    """Meta-test a rule: symla test ALGORITHM --environment ENV [options]"""
    options = _parse(TestOptions, arguments, "test", TestOptions.__doc__)
    from symla.algorithms import HAND_MADE
    from symla.environments import make
    from symla.evaluate import meta_test
    from symla.rules import hand_made, load

    known = options.algorithm in HAND_MADE
    rule = None if known else load(options.algorithm)
    name = options.environment or (rule.card["trained_on"] if rule else None)
    if name is None:
        raise SettingError("say where to test it: --environment ENV (`symla list` shows them)")
    environment = make(name)
    rule = rule or hand_made(options.algorithm, environment, options.length)
    result = meta_test(rule, environment, options.lifetimes, options.length, options.seed)

    report = {"algorithm": options.algorithm, "environment": name, **result.to_json()}
    print(f"{options.algorithm} on {name}: {result.lifetimes} lifetimes of {result.length} steps")
    print(f"  return {result.return_}   (mean and 95% confidence interval)")
    if result.regret:
        print(f"  regret {result.regret}")
    if options.json:
        _write_report(options.json, report)
    return 0


def report(arguments: Sequence[str]) -> int:
    """Draw the figures of a finished run again: symla report RUN"""
    description = "Draw the figures of a finished run again, and show its table."
    run = RunFolder(_parse(RunOptions, arguments, "report", description).run)
    from symla.report import draw, regret_table

    print_table(console, *regret_table(run.results()))
    for path in draw(run):
        print(path)
    return 0


def list_(arguments: Sequence[str]) -> int:
    """Show environments, algorithms, experiments and shipped rules: symla list"""
    _parse(ListOptions, arguments, "list", ListOptions.__doc__)
    from symla.algorithms import ALGORITHMS, HAND_MADE
    from symla.environments import ENVIRONMENTS, FAMILIES
    from symla.rules import pretrained
    from symla.store import read_json

    families = {
        prefix + rest: build(example) for prefix, (rest, example, build) in FAMILIES.items()
    }
    cards = {name: read_json(path.with_suffix(".json")) for name, path in pretrained().items()}
    sections = {
        "environments": {name: repr(e) for name, e in (ENVIRONMENTS | families).items()},
        "algorithms (hand-made ones can be tested at once)": {
            name: _first_line(kind) + (" (hand-made)" if name in HAND_MADE else "")
            for name, kind in ALGORITHMS.items()
        },
        "experiments": {name: _first_line(kind) for name, kind in EXPERIMENTS.items()},
        "shipped rules": {name: card.get("summary", "") for name, card in cards.items()},
    }
    for title, entries in sections.items():
        print(title)
        for name, text in entries.items():
            print(f"  {name:<28}{text}".rstrip())
        print()
    return 0


def bench(arguments: Sequence[str]) -> int:
    """Measure environment steps per second: symla bench [options]"""
    from symla.benchmark.settings import BenchOptions

    options = _parse(BenchOptions, arguments, "bench", BenchOptions.__doc__)
    shapes = options.build()
    if options.json:
        folder = options.json.absolute().parent  # asked now, not after minutes of measuring
        require(folder.is_dir(), f"cannot write {options.json}: {folder} is no folder")
    use_devices(options.devices)
    from symla.benchmark.command import bench

    rows = bench(shapes, options.repeats, console)
    if options.json:
        _write_report(options.json, rows)
    return 0


def doctor(arguments: Sequence[str]) -> int:
    """Show what runs here and why: symla doctor"""
    _parse(DoctorOptions, arguments, "doctor", DoctorOptions.__doc__)
    use_devices(None)
    from symla.doctor import doctor

    for name, finding in doctor().items():
        print(f"{name:<14}{finding}")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": train,
    "resume": resume,
    "test": test,
    "report": report,
    "list": list_,
    "bench": bench,
    "doctor": doctor,
}


def main() -> None:
    """The `symla` command."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Dispatch on the first word. Returns the exit code."""
    arguments = list(arguments)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    if not arguments or arguments[0] in ("-h", "--help"):
        _print_help()
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"symla {version('symla')}")
        return 0
    try:
        if arguments[0] not in COMMANDS:
            raise UnknownNameError("command", arguments[0], COMMANDS)
        return COMMANDS[arguments[0]](arguments[1:])
    except SymlaError as error:
        if debug:
            raise
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        complain("stopped")
        return STOPPED
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def use_devices(count: int | None) -> None:
    """Make each core of the CPU a device of jax, or `count` of them; before jax is first used.

    Raises SettingError for fewer than 1.
    """
    require(count is None or count >= 1, f"devices must be at least 1, got {count}")
    import jax

    jax.config.update("jax_num_cpu_devices", count or os.cpu_count() or 1)


def _write_report(path: Path, report: Any) -> None:
    try:
        write_json(path, report)
    except OSError as error:
        raise SettingError(f"cannot write {path}: {error.strerror}") from error


def _print_help() -> None:
    print("symla: meta-learn reinforcement-learning algorithms, and use them\n")
    for command in COMMANDS.values():
        purpose, _, usage = command.__doc__.partition(": ")
        print(f"  {usage:<52}{purpose}")
    print("\nsymla COMMAND --help tells more; --debug shows tracebacks; --version.")
    print("Begin with: symla train bandits")


def _parse(options: type, arguments: Sequence[str], command: str, description: str) -> Any:
    return tyro.cli(
        options,
        args=arguments,
        prog=f"symla {command}",
        description=description,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().split("\n", 1)[0]
