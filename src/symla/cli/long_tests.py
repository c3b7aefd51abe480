"""`symla test` of what learns from rollouts: with progress, and kept where that is asked for."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from symla.cli.options import TestOptions
from symla.core.text import typed
from symla.report.training_view import TestView
from symla.store import TEST, RunFolder

if TYPE_CHECKING:
    from symla.evaluation.evaluation import Evaluation
    from symla.evaluation.learning_test import Reached
    from symla.rules.rule import Rule

PATHS = ("json", "plot", "run_dir")  # options that are paths


def learn(
    rule: "Rule",
    environment: Any,
    options: TestOptions,
    lifetimes: int,
    length: int,
    seed: int,
    kept: RunFolder | None,
) -> "Evaluation | None":
    """The result; None: a signal stopped it, and its run folder keeps what was reached."""
    from symla.core.streams import Stream
    from symla.environments.padding import padded_as
    from symla.evaluation.learning_lives import learned
    from symla.evaluation.learning_test import latest, learning_test, result_of
    from symla.experiments.kept_test import run_kept_test

    algorithm: Any = rule.algorithm
    environment = padded_as(rule.card, environment)
    test = learning_test(algorithm, environment, lifetimes, length, options.evaluate_every)
    messages = Console(stderr=True, highlight=False)  # stdout is for results
    run = kept
    if run is None and options.run_dir is not None:
        run = _new_run(RunFolder(options.run_dir), options)
    view = TestView(messages, length)

    def show(done: int, reached: "Reached", *_: Any) -> None:
        view.show(done, latest(test, reached, done))

    try:
        if run is None:
            reached = learned(test, rule.params, seed, Stream.TESTING, show)
            return result_of(test, [reached], seed)
        found = run_kept_test(test, rule, seed, run, {"test": settings_of(options)}, show)
    finally:
        view.close()
    if found is None:
        messages.print(f"continue with: symla resume {typed(run.path)}", soft_wrap=True)
        return None
    result = result_of(test, [found], seed)
    run.write_results({"algorithm": options.algorithm, **result.to_json()})
    return result


def _new_run(run: RunFolder, options: TestOptions) -> RunFolder:
    """The folder, with what makes the test again."""
    from symla.core import streams
    from symla.runtime.provenance import provenance

    numbers = {"experiment": TEST, "seed": options.seed, "settings": settings_of(options)}
    run.create({**provenance(), "streams": streams.VERSION, **numbers})
    return run


def settings_of(options: TestOptions) -> dict[str, Any]:
    """All of them, as JSON can hold them."""
    settings = asdict(options)
    return settings | {name: settings[name] and str(settings[name]) for name in PATHS}
