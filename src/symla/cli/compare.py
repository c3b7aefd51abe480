"""`symla compare`: several rules in several environments, in one table and one figure.

jax is imported late: `--help` and a misspelt word answer at once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from symla.cli.options import CompareOptions, parse
from symla.cli.results import print_comparison, print_standings
from symla.cli.test import check_outputs
from symla.core.errors import SettingError
from symla.report.terminal import working
from symla.runtime.machine import prepare_jax
from symla.runtime.provenance import provenance
from symla.store import write_json

if TYPE_CHECKING:
    from symla.evaluation.comparison import Pair


def compare(arguments: Sequence[str]) -> int:
    """Compare rules on the same tasks: symla compare RULE ... --environments ENV ..."""
    options = parse(CompareOptions, arguments, "compare")
    check_outputs(options.json, options.plot)
    check_outputs(None, options.profiles)
    prepare_jax()
    from symla.evaluation.comparison import compare as compare_rules
    from symla.evaluation.ranking import standings
    from symla.evaluation.suites import SUITES
    from symla.lifetimes.resolve import make

    rules = dict(zip(_short_names(options.rules), options.rules))
    environments = {name: name for name in options.environments}
    lifetimes, length = options.lifetimes, options.length
    suite = SUITES.get(options.environments[0]) if len(environments) == 1 else None
    if suite:
        rules = rules | {name: name for name in suite.references if name not in rules}
        environments = dict(suite.environments)
        lifetimes = suite.lifetimes if lifetimes is None else lifetimes
        length = suite.length if length is None else length
    made = {name: make(what, options.time_limit) for name, what in environments.items()}
    with working("compiling") as status:
        pairs: list[Pair] = []

        def say(pair: "Pair") -> None:
            """How many are done; a suite takes minutes, and has a line for each of them."""
            pairs.append(pair)
            status.update(f"{len(pairs)} of {len(rules) * len(made)} pairs are done")
            if suite:
                said = pair.result.return_ if pair.result else "n/a"
                line = f"{pair.environment}, {pair.rule}: {said}"
                status.console.print(line, markup=False, soft_wrap=True)

        comparison = compare_rules(
            rules,
            made,
            lifetimes=lifetimes,
            length=length,
            seeds=options.seeds,
            normalise_rewards=options.normalise_rewards,
            bins=options.bins,
            # What a suite counts is earned while learning.
            evaluate_every=0 if suite else None,
            watch=say,
        )
    print_comparison(comparison)
    if len(rules) > 1 and len(environments) > 1:
        print_standings(standings(comparison))
    if options.json:
        ranked = [each.to_json() for each in standings(comparison)]
        found = comparison.to_json() | {"standings": ranked}
        write_json(options.json, found | provenance())
    if not any(pair.result for pair in comparison.pairs):
        raise SettingError("none of these rules can be in any of these environments")
    if options.plot:
        comparison.plot(options.plot)
    if options.profiles:
        comparison.plot_profiles(options.profiles)
    return 0


def _short_names(rules: Sequence[str]) -> list[str]:
    """The last parts of paths, where that tells them apart."""
    short = [Path(rule).name for rule in rules]
    return short if len(set(short)) == len(set(rules)) else list(rules)
