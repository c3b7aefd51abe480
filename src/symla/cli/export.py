"""`symla export`: a rule as a file of its own: for symla, for NumPy alone, or as a page that lives.

jax is imported late: `--help` and a misspelt word answer at once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from symla.cli.options import ExportFormat, ExportOptions, parse
from symla.core.errors import SettingError, require
from symla.runtime.machine import prepare_jax
from symla.store import RunFolder, check_writable, write

if TYPE_CHECKING:
    from symla.rules.rule import Rule

SUFFIXES = dict(zip(get_args(ExportFormat), (".safetensors", ".py", ".html")))

# The worlds of the page, and what an environment's name contains that is like them.
WORLDS = {
    "bandit": ("bandit",),
    "hearts": ("hearts", "associations", "target", "grid"),
    "cartpole": ("cartpole", "acrobot", "car", "pendulum", "balance"),
}


def export(arguments: Sequence[str]) -> int:
    """Write a rule to a file of its own: symla export RULE FILE [--format numpy|web]"""
    options = parse(ExportOptions, arguments, "export")
    kind = options.format or _kind_of(options.file)
    suffix = SUFFIXES[kind]
    require(options.file.suffix == suffix, f"{options.file} must end in {suffix}")
    check_writable(options.file)
    prepare_jax()
    from symla.rules.exporting import export_numpy
    from symla.rules.loading import is_hand_made, load

    require(
        not is_hand_made(options.rule) or Path(options.rule).exists(),
        f"{options.rule} is made by hand and has no learned numbers to write",
    )
    rule = load(options.rule)
    if kind == "numpy":
        print(*export_numpy(rule, options.file), sep=" and ")
    elif kind == "web":
        write(options.file, page_of(options.rule, rule, options.summary).encode())
        print(f"{options.file}: open it in a browser, it needs no network")
    else:
        rule.save(options.file, summary=options.summary, **_tested(options.rule))
        print(f"{options.file} and {options.file.with_suffix('.json')}")
    return 0


def _kind_of(file: Path) -> str:
    for kind, suffix in SUFFIXES.items():
        if file.suffix == suffix:
            return kind
    raise SettingError(f"{file} must end in {', '.join(SUFFIXES.values())}, or say --format")


def _tested(name: str) -> dict[str, Any]:
    """What a run found of its rule."""
    run = RunFolder(Path(name))
    found = run.results() if run.results_path.exists() else {}
    return {key: found[key] for key in ("regret", "tests") if key in found}


def page_of(name: str, rule: "Rule", summary: str = "") -> str:
    """A page on which this rule lives; beside it the shipped ones, to compare."""
    from symla.report.web_page import live_page
    from symla.rules.exporting import web_numbers
    from symla.rules.loading import load, pretrained

    shipped = {who: load(who) for who in ("bandits", "gridworld", "control")}
    own = name in pretrained()
    shown = name if own else Path(name).stem
    card = {**rule.card, **({"summary": summary} if summary else {})}
    rules = {who: (web_numbers(each), each.card) for who, each in shipped.items()}
    rules[shown] = (web_numbers(rule), card)
    trained_on = str(rule.card.get("trained_on", "")).lower()
    world = next(
        (w for w, words in WORLDS.items() if any(word in trained_on for word in words)), "bandit"
    )
    return live_page(rules, world, None if shown in shipped and own else shown)
