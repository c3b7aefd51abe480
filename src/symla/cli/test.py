"""`symla test`: what a rule reaches, beside random play and the best known hand-made algorithm.

jax is imported late: `--help` and a misspelt word answer at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symla.cli.console import complain
from symla.cli.long_tests import PATHS, learn
from symla.cli.options import TestOptions, parse
from symla.cli.results import print_test
from symla.core.errors import FaultyEnvironmentError, SettingError, SymlaError, require
from symla.report.terminal import working
from symla.runtime.machine import prepare_jax
from symla.runtime.signals import STOPPED
from symla.store import RunFolder, check_writable, from_settings, write_json

if TYPE_CHECKING:
    from symla.evaluation.evaluation import Evaluation


def test(arguments: Sequence[str]) -> int:
    """Meta-test a rule: symla test ALGORITHM --environment ENV [options]"""
    options = parse(TestOptions, arguments, "test")
    if options.preset is not None:
        options = replace(options, algorithm=f"{options.algorithm},preset={options.preset}")
    check_outputs(options.json, options.plot)
    prepare_jax()
    return run_test(options, None)


def resume_test(run: RunFolder, config: Mapping[str, Any]) -> int:
    """Go on with the test that this folder keeps."""
    settings = {**config["settings"], "run_dir": str(run.path)}
    paths = {name: Path(settings[name]) for name in PATHS if settings.get(name)}
    options = from_settings(TestOptions, settings | paths, run.config_path)
    check_outputs(options.json, options.plot)
    return run_test(options, run)


def run_test(options: TestOptions, kept: RunFolder | None) -> int:
    """The test. `kept` is the run folder of one that goes on. Returns the exit code."""
    from symla.algorithms import HAND_MADE
    from symla.algorithms.base import LearnsFromRollouts
    from symla.evaluation.evaluate import meta_test, rule_for, sizes, transformed
    from symla.evaluation.references import references
    from symla.lifetimes.resolve import make
    from symla.rules.loading import is_hand_made, load

    known = is_hand_made(options.algorithm)
    rule = None if known else load(options.algorithm)
    name = options.environment or (trained_on(rule.card) if rule else None)
    if name is None:
        raise SettingError("say where to test it: --environment ENV (`symla list` shows them)")
    changes = options.permute, options.project, options.swap_rewards
    environment = transformed(make(name, options.time_limit), *changes)
    rule = rule_for(rule or options.algorithm, environment, options.length or 100)
    lifetimes, length = sizes(rule, options.lifetimes, options.length)
    where = ", ".join((name, *changes_in_words(*changes)))
    numbers = lifetimes, length, options.seed
    short = options.algorithm if known else Path(options.algorithm).name
    row = short if known or short not in HAND_MADE else options.algorithm  # a folder of that name
    try:
        if isinstance(rule.algorithm, LearnsFromRollouts):
            result = learn(rule, environment, options, *numbers, kept)
            if result is None:
                return STOPPED
            results = {row: result}
        else:
            _refuse_options_of_learners(options)
            with working(f"{row} on {where}: compiling, then {lifetimes} lifetimes"):
                results = {row: meta_test(rule, environment, *numbers)}
    except FaultyEnvironmentError as fault:
        if fault.measured:
            _tell(options, where, {row: fault.measured}, incomplete=True, reason=str(fault))
        raise
    problem = ""
    if lifetimes == 1 and not options.alone:
        problem = "nothing stands beside one lifetime: take --lifetimes 2 or more, or --alone"
    try:
        others = {} if options.alone or problem else references(environment, length)
        for who, other in others.items():
            if other.algorithm != rule.algorithm:
                with working(f"beside it, {who} on {where}"):
                    results[who] = meta_test(other, environment, *numbers)
    except SymlaError as fault:  # what was asked for is measured
        problem = f"not all that stands beside it could be tested: {fault}"
    _tell(options, where, results)
    if problem:
        complain(problem)
    return 0


def _refuse_options_of_learners(options: TestOptions) -> None:
    for name in ("evaluate_every", "run_dir"):
        require(
            getattr(options, name) is None,
            f"--{name.replace('_', '-')} is for what learns by gradient, as td3 does: "
            f"{options.algorithm} learns within its lifetime, which is short: leave it out",
        )


def _tell(
    options: TestOptions, where: str, results: "Mapping[str, Evaluation]", **more: Any
) -> None:
    """Print the results, the first of which is the rule's, and write the files that were asked for.
    A file that cannot be written ends in an error when everything is printed."""
    (name, result), *others = results.items()
    print_test(options.algorithm, where, results)
    if options.json:
        random = results.get("random")
        beside = {
            who: {"difference_to_random": _minus_random(other, random), **other.to_json()}
            for who, other in others
        }
        write_json(
            options.json,
            {
                "algorithm": options.algorithm,
                "environment": where,
                **result.to_json(),
                "learns": result.learns(random) if random is not result else None,
                "difference_to_random": _minus_random(result, random),
                "beside": beside,
                **more,
            },
        )
    if options.plot:
        result.plot(options.plot, dict(others), name=name, title=where)


def _minus_random(result: "Evaluation", random: "Evaluation | None") -> dict[str, float] | None:
    from symla.evaluation.evaluation import of_finite

    if random is None or random is result:
        return None
    return of_finite(asdict(result.difference(random)))


def check_outputs(json: Path | None, plot: Path | None) -> None:
    """Raises SettingError, before anything is measured, for a file that could not be written."""
    if json is not None:
        check_writable(json)
    if plot is not None:
        from symla.report.figure_files import check_path

        check_path(plot)


def trained_on(card: Mapping[str, Any]) -> str | None:
    """The environment that the card names, if it is one that a person could name."""
    from symla.lifetimes.resolve import make

    name = card.get("environment", card.get("trained_on"))
    try:
        make(name)
    except (TypeError, AttributeError, SymlaError):
        return None
    return name


def changes_in_words(permute: bool, project: int | None, swap_rewards: bool) -> list[str]:
    """What `transformed` did."""
    projected = f"projected to {project} numbers" if project is not None else ""
    words = "permuted" if permute else "", projected, "rewards swapped" if swap_rewards else ""
    return [text for text in words if text]
