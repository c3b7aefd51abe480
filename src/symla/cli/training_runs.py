"""What `symla train` and `symla resume` share: a run goes on until its end, and says what it did.

jax is imported late: `--help` and a misspelt word answer at once.
"""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from symla.core.text import typed
from symla.experiments import Experiment
from symla.report.terminal import console, print_table
from symla.report.training_view import TrainingView
from symla.runtime import processes
from symla.runtime.signals import STOPPED, interruptible
from symla.store import RunFolder

if TYPE_CHECKING:
    from symla.experiments.recipes import Recipe

Watch = Callable[[Mapping[str, Any]], None] | None


def stoppable(work: Callable[[], int], run: RunFolder) -> int:
    """`work`; a signal outside of generations, which end by themselves, ends it like one inside."""
    try:
        with interruptible():
            return work()
    except KeyboardInterrupt:
        if run.writer and not run.config_path.exists():
            raise  # there is nothing to continue
        processes.leave("was interrupted")
        return stopped(run, view_of(run))


def stopped(run: RunFolder, view: TrainingView) -> int:
    view.say(f"continue with: symla resume {typed(run.path)}")
    return STOPPED


def view_of(run: RunFolder) -> TrainingView:
    return TrainingView(console if run.writer else Console(quiet=True))


def run_experiment(
    experiment: Experiment, seed: int, run: RunFolder, changes: Sequence[str] = ()
) -> int:
    view = view_of(run)
    view.say(f"run folder: {run.path}")
    for change in changes:
        view.say(f"changed: {change}")
    try:
        finished = experiment.run(seed, run, view)
    finally:
        view.close()
    if not finished:
        return stopped(run, view)
    if not run.writer:
        return 0
    show(run, view)
    results = run.results()
    # Only SymLA goes where it has never been.
    where = "bandit-arms-20" if results["algorithm"] == "symla" else results["trained_on"]
    say_how_to_use(run, view, where, measure=".regret")
    return 0


def run_recipe(recipe: "Recipe", run: RunFolder, title: str, watch: Watch = None) -> int:
    """Train from the newest checkpoint, test, and say what came of it. Returns the exit code."""
    view = view_of(run)
    view.say(f"run folder: {run.path}")
    try:
        rule = recipe.run(run, view, title, watch=watch)
    finally:
        view.close()
    if rule is None:
        return stopped(run, view)
    if run.writer:
        if run.results_path.exists():
            show(run, view)
        say_how_to_use(run, view, *recipe.where())
    return 0


def show(run: RunFolder, view: TrainingView) -> None:
    """The table of the final tests, and where the figures are."""
    from symla.report.run_figures import draw
    from symla.report.tables import run_table

    view.say("")
    print_table(console, *run_table(run))
    view.say(f"\nfigures: {', '.join(str(path) for path in draw(run))}")


def say_how_to_use(
    run: RunFolder,
    view: TrainingView,
    where: str | None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    measure: str = "",
) -> None:
    """Lines to copy. `where` names an environment, None: it has no name; `changes` as `meta_test`
    has them."""
    path = str(run.path)
    path = path if os.sep in path else os.path.join(".", path)  # whatever ships by name
    python = ["    import symla", f"    rule = symla.load({path!r})"]
    shell = f"    symla report {typed(run.path)}"
    if where is not None:
        flags = "".join(f" --{key}" + f" {x}" * (x is not True) for key, x in changes.items())
        named = shlex.quote(where)
        shell = f"    symla test {typed(run.path)} --environment {named}{flags}"
        keywords = "".join(f", {key}={value!r}" for key, value in changes.items())
        python.append(f"    print(symla.meta_test(rule, {where!r}{keywords}){measure})")
    view.say("\n".join(["", "next, meta-test it:", shell, "or use it in Python:", *python]))


def say_finished(run: RunFolder, advice: str) -> int:
    view_of(run).say(
        f"{run.path} is finished, and nothing in it was touched: it has all its "
        f"{run.generations_done()} generations. `symla report {typed(run.path)}` shows it; {advice}"
    )
    return 0
