"""The command line: reads what a person types, and hands it to the room that does it.

jax is imported late: `--help` and a misspelt word answer at once. Exit codes: 0 done, 2 the
person's input was wrong, 130 stopped by a signal, with everything kept.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from rich.console import Console

from symla.console import TrainingView, complain, print_table, print_test
from symla.errors import (
    FaultyEnvironmentError,
    SettingError,
    SymlaError,
    UnknownNameError,
    require,
)
from symla.experiments import EXPERIMENTS, Experiment
from symla.machine import MachineOptions, is_writer, prepare_jax, same_everywhere
from symla.options import (
    DoctorOptions,
    ExportOptions,
    ListOptions,
    ReproduceOptions,
    ResumeOptions,
    RunOptions,
    TestOptions,
    TrainOptions,
)
from symla.store import RunFolder, from_settings, write_json

if TYPE_CHECKING:
    from symla.evaluate import Evaluation

STOPPED = 130

console = Console(highlight=False)


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
    prepare_jax(options.machine)
    experiment.training(options.seed)  # refuses wrong settings before anything is written

    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = options.run_dir or Path("runs") / f"{name}-seed{options.seed}-{stamp}"
    config = {"experiment": name, "seed": options.seed, "settings": asdict(experiment)}
    from symla.provenance import provenance

    same_everywhere(config)
    run = RunFolder(path, is_writer())
    run.create({**config, **provenance()})
    return _run(experiment, options.seed, run)


def resume(arguments: Sequence[str]) -> int:
    """Continue an interrupted run: symla resume RUN"""
    options = _parse(ResumeOptions, arguments, "resume", ResumeOptions.__doc__)
    prepare_jax(options.machine)
    run = RunFolder(options.run, is_writer())
    config = run.config()
    name, seed, settings = config["experiment"], config["seed"], config["settings"]
    if name not in EXPERIMENTS:
        raise UnknownNameError("experiment", name, EXPERIMENTS)
    same_everywhere({"experiment": name, "seed": seed, "settings": settings})
    experiment = from_settings(EXPERIMENTS[name], settings, run.config_path)
    experiment.training(seed)
    from symla.provenance import provenance

    run.note_resume(provenance())
    return _run(experiment, seed, run)


def _run(experiment: Experiment, seed: int, run: RunFolder) -> int:
    view = TrainingView(console if run.writer else Console(quiet=True))
    view.say(f"run folder: {run.path}")
    try:
        finished = experiment.run(seed, run, view)
    except KeyboardInterrupt:  # before the first generation, after the last, or a second Ctrl-C
        finished = False
    finally:
        view.close()
    if not finished:
        view.say(f"continue with: symla resume {run.path}")
        return STOPPED
    if not run.writer:
        return 0
    from symla.report import draw, regret_table

    view.say("")
    print_table(console, *regret_table(run.results()))
    figures = draw(run)
    view.say(f"\nfigures: {', '.join(str(path) for path in figures)}")
    results, path = run.results(), str(run.path)
    path = path if os.sep in path else os.path.join(".", path)  # a path, whatever ships by name
    # Only SymLA goes where it has never been.
    where = "bandit-arms-20" if results["algorithm"] == "symla" else results["trained_on"]
    view.say(
        "\nnext, meta-test it:\n"
        f"    symla test {path} --environment {where}\n"
        "or use it in Python:\n"
        "    import symla\n"
        f"    rule = symla.load({path!r})\n"
        f'    print(symla.meta_test(rule, "{where}").regret)'
    )
    return 0


def test(arguments: Sequence[str]) -> int:
    """Meta-test a rule: symla test ALGORITHM --environment ENV [options]"""
    options = _parse(TestOptions, arguments, "test", TestOptions.__doc__)
    prepare_jax()
    from symla.algorithms import HAND_MADE
    from symla.bridge.environment import GymnasiumEnvironment
    from symla.evaluate import find, meta_test
    from symla.rules import hand_made, load

    known = options.algorithm in HAND_MADE
    rule = None if known else load(options.algorithm)
    name = options.environment or (rule.card.get("trained_on") if rule else None)
    if not isinstance(name, str):
        raise SettingError("say where to test it: --environment ENV (`symla list` shows them)")
    environment = find(name, options.time_limit)
    in_jax = None if isinstance(environment, GymnasiumEnvironment) else environment
    rule = rule or hand_made(options.algorithm, in_jax, options.length)
    try:
        result = meta_test(rule, environment, options.lifetimes, options.length, options.seed)
    except FaultyEnvironmentError as fault:
        if fault.measured:
            _tell_test(options, name, fault.measured, incomplete=True, reason=str(fault))
        raise
    _tell_test(options, name, result)
    return 0


def _tell_test(options: TestOptions, where: str, result: "Evaluation", **more: Any) -> None:
    print_test(options.algorithm, where, result)
    if options.json:
        about = {"algorithm": options.algorithm, "environment": where}
        _write_report(options.json, {**about, **result.to_json(), **more})


def report(arguments: Sequence[str]) -> int:
    """Draw the figures of a finished run again: symla report RUN"""
    description = "Draw the figures of a finished run again, and show its table."
    run = RunFolder(_parse(RunOptions, arguments, "report", description).run)
    from symla.report import draw, regret_table

    print_table(console, *regret_table(run.results()))
    for path in draw(run):
        print(path)
    return 0


def reproduce(arguments: Sequence[str]) -> int:
    """Make a figure of the paper: symla reproduce figure3 | ... | figure7 | all"""
    options = _parse(ReproduceOptions, arguments, "reproduce", ReproduceOptions.__doc__)
    prepare_jax(MachineOptions(options.devices))
    from symla.experiments.reproduce import figures, reproduce
    from symla.report.reproduction import draw_figure, verdict_table

    if options.figure not in (*figures(), "all"):
        raise UnknownNameError("figure", options.figure, [*figures(), "all"])
    results = options.results
    if options.scale == "tiny":  # never in place of what was trained in earnest
        results = results / "tiny"
    for name in figures() if options.figure == "all" else (options.figure,):
        view = TrainingView(console)
        try:
            found = reproduce(
                name, options.scale, options.lifetimes, results, options.runs, view, options.only
            )
        finally:
            view.close()
        if found is None:
            if options.only:
                continue
            view.say(f"continue with the same command: symla reproduce {name} --scale full")
            return STOPPED
        print_table(console, *verdict_table(found))
        view.say(f"figure: {draw_figure(results / name)}\n")
    return 0


def export(arguments: Sequence[str]) -> int:
    """Write a rule to a file of its own, with its card: symla export RUN FILE"""
    options = _parse(ExportOptions, arguments, "export", ExportOptions.__doc__)
    require(options.file.suffix == ".safetensors", f"{options.file} must end in .safetensors")
    from symla.rules import export as write_rule
    from symla.rules import load

    run = RunFolder(options.run)
    rule, regret = load(run.path), run.results()["regret"]
    try:
        write_rule(rule, options.file, {"summary": options.summary, "regret": regret})
    except OSError as error:
        raise SettingError(f"cannot write {options.file}: {error.strerror}") from error
    print(f"{options.file} and {options.file.with_suffix('.json')}")
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
        "environments": {name: repr(e) for name, e in (ENVIRONMENTS | families).items()}
        | {"gymnasium:ID": "any of Gymnasium with Discrete actions, gymnasium:CartPole-v1 say"},
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
    prepare_jax(MachineOptions(options.devices))
    from symla.benchmark.command import bench

    rows = bench(shapes, options.repeats, console)
    if options.json:
        _write_report(options.json, rows)
    return 0


def doctor(arguments: Sequence[str]) -> int:
    """Show what runs here and why: symla doctor"""
    _parse(DoctorOptions, arguments, "doctor", DoctorOptions.__doc__)
    prepare_jax()
    from symla.doctor import doctor

    for name, finding in doctor().items():
        print(f"{name:<14}{finding}")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": train,
    "resume": resume,
    "test": test,
    "reproduce": reproduce,
    "report": report,
    "export": export,
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
    except OSError as error:  # a disk that is full, a folder that cannot be read or written
        if debug:
            raise
        complain(str(error))
        return 2


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
