"""The command line: reads what a person types, and passes it to the folder that does it.

jax is imported late: `--help` and a misspelt word answer at once.
"""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

from symla.cli.compare import compare
from symla.cli.console import complain
from symla.cli.explain import explain
from symla.cli.export import export
from symla.cli.faults import advice
from symla.cli.options import (
    DoctorOptions,
    ListOptions,
    ReproduceOptions,
    parse,
)
from symla.cli.report import report
from symla.cli.resume import resume
from symla.cli.test import test
from symla.cli.train import train
from symla.core.errors import SymlaError, UnknownNameError
from symla.core.output import print_anything
from symla.core.text import docstring
from symla.report.terminal import console, print_table
from symla.report.training_view import TrainingView
from symla.runtime import processes
from symla.runtime.machine import MachineOptions, prepare_jax
from symla.runtime.signals import STOPPED, interruptible
from symla.store import check_writable, write_json

PATIENCE = 5.0  # seconds that a command without anything to save has to end after a signal
EXIT_CODES = "0 done, 1 a fault of symla, 2 wrong input or machine, 130 stopped by a signal"


def reproduce(arguments: Sequence[str]) -> int:
    """Make a figure of a paper: symla reproduce figure3 | ... | all-learners | all"""
    options = parse(ReproduceOptions, arguments, "reproduce")
    prepare_jax(MachineOptions(options.devices))
    from symla.experiments.reproduce import SEVERAL, at_scale, figures, is_there, reproduce
    from symla.report.paper_figures import draw_figure, draw_recordings, verdict_table
    from symla.runtime.provenance import command

    if options.figure not in (*figures(), *SEVERAL):
        raise UnknownNameError("figure", options.figure, [*figures(), *SEVERAL])
    results = options.results
    if options.scale == "tiny":  # never in place of what was trained in earnest
        results = results / "tiny"
    figure, scale = at_scale(options.figure, options.scale)
    for name in SEVERAL.get(figure, [figure]):
        view = TrainingView(console)
        if figure in SEVERAL and scale == "test" and not is_there(name, results):
            view.say(f"{name}: left out, for it was not trained: --scale full does that\n")
            continue
        try:
            found = reproduce(
                name, scale, options.lifetimes, results, options.runs, view, options.only
            )
        finally:
            view.close()
        if found is None:
            view.say(f"continue with the same command: {command()}")
            return STOPPED
        if not found:
            continue
        print_table(console, *verdict_table(found))
        drawn = [draw_figure(results / name), *draw_recordings(results / name)]
        view.say(f"figures: {', '.join(map(str, drawn))}\n")
    return 0


def list_(arguments: Sequence[str]) -> int:
    """Show environments, algorithms, experiments, figures, rules: symla list [WHAT]"""
    what = parse(ListOptions, arguments, "list").what
    prepare_jax()
    from symla.cli.listing import cards, everything_named

    for title, entries in everything_named().items():
        if what not in ("all", title.split(" ", 1)[0]):
            continue
        print(title)
        for name, text in entries.items():
            print(f"  {name:<28}{text}".rstrip())
            for line in cards().get(name, []) if what == "pretrained" else []:
                print(f"  {'':<28}{line}")
        print()
    return 0


def bench(arguments: Sequence[str]) -> int:
    """Measure environment steps per second: symla bench [learners] [options]"""
    if arguments and arguments[0] == "learners":
        return _bench_learners(arguments[1:])
    from symla.bench.shapes import BenchOptions

    options = parse(BenchOptions, arguments, "bench")
    shapes = options.build()
    if options.json:
        check_writable(options.json)  # asked now, not after minutes of measuring
    prepare_jax(MachineOptions(options.devices))
    from symla.bench.side_by_side import bench

    rows = bench(shapes, options.repeats, console)
    if options.json:
        write_json(options.json, rows)
    return 0


def _bench_learners(arguments: Sequence[str]) -> int:
    from symla.bench.learner_cases import LearnerBenchOptions

    options = parse(LearnerBenchOptions, arguments, "bench learners")
    cases = options.build()
    if options.json:
        check_writable(options.json)
    prepare_jax(MachineOptions(options.devices))
    from symla.bench.learners import bench_learners

    rows = bench_learners(cases, options.repeats, console)
    if options.json:
        write_json(options.json, rows)
    return 0


def doctor(arguments: Sequence[str]) -> int:
    """Show what runs here and why: symla doctor"""
    parse(DoctorOptions, arguments, "doctor")
    prepare_jax()
    from symla.cli.doctor import doctor

    for name, finding in doctor().items():
        print(f"{name:<14}{finding}")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": train,
    "resume": resume,
    "test": test,
    "compare": compare,
    "reproduce": reproduce,
    "report": report,
    "explain": explain,
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
    print_anything()
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
        if arguments[0] == "--completion":
            from symla.cli.completion import completion

            print(completion(arguments[1] if len(arguments) > 1 else ""), end="")
            return 0
        if arguments[0] not in COMMANDS:
            raise UnknownNameError("command", arguments[0], COMMANDS)
        with interruptible(PATIENCE):
            code = COMMANDS[arguments[0]](arguments[1:])
        processes.leave()
        return code
    except KeyboardInterrupt:
        complain("stopped")
        processes.leave("was interrupted")
        return STOPPED
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _failed(error, debug)


def _failed(error: Exception, debug: bool) -> int:
    """Say what to do about it, here and to the other processes. Returns the exit code."""
    if not isinstance(error, SymlaError):
        processes.wait_for_failure()  # one that is gone shows first as a fault of the network
    message, code = (str(error), 2) if isinstance(error, SymlaError) else advice(error)
    if debug:
        traceback.print_exception(error)
    complain(message)
    processes.leave(f"stopped: {message}", code)
    return code


def _print_help() -> None:
    print("symla: meta-learn reinforcement-learning algorithms, and use them\n")
    for command in COMMANDS.values():
        purpose, _, usage = docstring(command).partition(": ")
        print(f"  {usage:<52}{purpose}")
    print("\nsymla COMMAND --help tells more; --debug shows tracebacks; --version;")
    print("--completion bash, zsh or fish prints what completes all this in that shell.")
    print(f"Exit codes: {EXIT_CODES}.")
    print("Begin with: symla train bandits")
