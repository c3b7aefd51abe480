"""`symla explain`: what a rule uses of what it perceives and remembers.

jax is imported late: `--help` and a misspelt word answer at once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symla.cli.console import complain
from symla.cli.options import ExplainOptions, parse
from symla.cli.results import four_digits
from symla.cli.test import check_outputs, trained_on
from symla.core.errors import CheckpointError, SettingError
from symla.report.terminal import console, print_table
from symla.runtime.machine import prepare_jax
from symla.store import RunFolder, write_json

if TYPE_CHECKING:
    from symla.evaluation.evaluation import Evaluation
    from symla.evaluation.explanation import Explanation
    from symla.rules.rule import Rule

LIFETIMES = 256
AGENTS, AGENT_STEPS = 8, 6_400  # where agents follow an objective


def explain(arguments: Sequence[str]) -> int:
    """Show what a rule uses, and what it ignores: symla explain RULE --environment ENV"""
    options = parse(ExplainOptions, arguments, "explain")
    check_outputs(options.json, options.plot)
    prepare_jax()
    from symla.algorithms.metagenrl import MetaGenRL
    from symla.evaluation.explanation import explain as explain_rule
    from symla.lifetimes.resolve import make
    from symla.rules.loading import hand_made, is_hand_made, load

    known = is_hand_made(options.rule)
    rule = None if known else load(options.rule)
    name = options.environment or (trained_on(rule.card) if rule else None)
    if name is None:
        raise SettingError("say where to explain it: --environment ENV (`symla list` shows them)")
    environment: Any = make(name)
    if rule and isinstance(rule.algorithm, MetaGenRL):
        return _explain_objective(options, rule, environment, name)
    usual = _length(rule.card if rule else {})
    length = usual if options.length is None else options.length
    rule = rule or hand_made(options.rule, environment, length)
    lifetimes = LIFETIMES if options.lifetimes is None else options.lifetimes
    found = explain_rule(rule, environment, lifetimes, length, options.seed)
    _print(options.rule, name, found)
    if options.json:
        write_json(options.json, {"rule": options.rule, **found.to_json()})
    if options.plot:
        found.plot(options.plot)
    return 0


def _explain_objective(options: ExplainOptions, rule: "Rule", environment: Any, where: str) -> int:
    """What a learned objective asks of a policy; of a run, at its earlier checkpoints, too."""
    from symla.evaluation.objective_explanation import explain_objective

    length = AGENT_STEPS if options.length is None else options.length
    agents = AGENTS if options.lifetimes is None else options.lifetimes
    earlier = _earlier(Path(options.rule))
    found = explain_objective(rule, environment, agents, length, options.seed, earlier)
    print(f"{options.rule} on {where}: what it asks of {agents} fresh agents of {length} steps\n")
    rows = [[name, _two(cosine)] for name, cosine in found.likeness.items()]
    print_table(console, ["formula", "cosine of its update with the learned one"], rows)
    rows = [[name, _two(share)] for name, share in found.without.items()]
    print_table(console, ["without", "share of the update that is another"], rows)
    rows = [[name, four_digits(reward)] for name, reward in found.taught.items()]
    print_table(console, ["fresh agents follow", "reward a step at the end"], rows)
    for each in found.along:
        print(f"generation {each['generation']}: " + ", ".join(
            f"cosine with {name} {value['mean']:.2f}" if name != "with the last"
            else f"cosine with the last {value['mean']:.2f}"
            for name, value in each.items() if name != "generation"
        ))  # fmt: skip
    print(f"\n{' '.join(found.sentences)}")
    if options.json:
        write_json(options.json, {"rule": options.rule, **found.to_json()})
    if options.plot:
        found.plot(options.plot)
    return 0


def _earlier(path: Path) -> dict[int, "Rule"]:
    """The rules of the older checkpoints of a run folder, by generation, but for damaged ones."""
    from symla.rules.loading import load

    if not path.is_dir():
        return {}
    found = {}
    for file in list(RunFolder(path).checkpoints())[1:]:
        try:
            found[int(file.stem.rpartition("-")[2])] = load(file)
        except CheckpointError as error:
            complain(f"left out: {error}")
    return found


def _two(estimate: Any) -> str:
    return f"{estimate:.2f}"


def _length(card: Mapping[str, Any]) -> int:
    """Of the lifetimes that the rule was trained on, where its card says it."""
    length = card.get("training", {}).get("length")
    return length if isinstance(length, int) else 100


def _print(name: str, where: str, found: "Explanation") -> None:
    print(
        f"{name} on {where}: the same {found.intact.lifetimes} lifetimes of {found.intact.length} "
        "steps, intact and with a part replaced (mean ± 95% confidence interval, paired)\n"
    )
    header = ["replaced", "by", found.measure, "difference", "first fifth", "last fifth", "so it"]
    whole = {"nothing": found.intact, "all: random play": found.random}
    rows = [
        [what, "", str(found.counted(result)), "", *_fifths(found, result), ""]
        for what, result in whole.items()
    ]
    shown: set[str] = set()
    for each in found.ablations:
        verdict = "" if each.part in shown else _verdict(found.verdict(each.part))
        shown.add(each.part)
        cells = each.part, each.by, str(found.counted(each.result)), str(each.difference)
        rows.append([*cells, *_fifths(found, each.result), verdict])
    print_table(console, header, rows)
    unit = "an episode" if found.by_episode else "a step"
    print(f"\nfirst and last: the reward {unit} in the first and last fifth of a lifetime")
    for one in found.sensitivity:
        lags = [lag for lag in (0, 1, 2, 4, 8, 16, 31) if lag < len(one.by_lag)]
        values = ", ".join(f"{lag}: {one.by_lag[lag]:.3f}" for lag in lags)
        print(f"|d logits / d reward| at step {one.age}, by steps ago: {values}")
    print(f"\n{' '.join(found.sentences)}")


def _fifths(found: "Explanation", result: "Evaluation") -> list[str]:
    parts = result.first, result.last
    if not found.by_episode:
        return [four_digits(part.reward) for part in parts]
    return [f"{part.episode_return:.2f}" if part.episode_return else "none ended" for part in parts]


def _verdict(verdict: str) -> str:
    said = {"uses": "uses it", "ignores": "ignores it", "better without": "is better without"}
    return {**said, "is there": "ignores what it says"}.get(verdict, verdict)
