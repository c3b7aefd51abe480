"""`symla compare`: several rules in several environments, in one table and one figure.

jax is imported late: `--help` and a misspelt word answer at once.
"""

from collections.abc import Sequence
from pathlib import Path

from symla.cli.options import CompareOptions, parse
from symla.cli.results import print_comparison
from symla.cli.test import check_outputs
from symla.core.errors import SettingError
from symla.runtime.machine import prepare_jax
from symla.store import write_json


def compare(arguments: Sequence[str]) -> int:
    """Compare rules on the same tasks: symla compare RULE ... --environments ENV ..."""
    options = parse(CompareOptions, arguments, "compare")
    check_outputs(options.json, options.plot)
    check_outputs(None, options.profiles)
    prepare_jax()
    from symla.evaluation.comparison import compare as compare_rules
    from symla.lifetimes.resolve import make

    comparison = compare_rules(
        dict(zip(_short_names(options.rules), options.rules)),
        {name: make(name, options.time_limit) for name in options.environments},
        lifetimes=options.lifetimes,
        length=options.length,
        seeds=options.seeds,
    )
    print_comparison(comparison)
    if options.json:
        write_json(options.json, comparison.to_json())
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
