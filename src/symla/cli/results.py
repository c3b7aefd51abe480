"""What a person sees of tests: tables of numbers, and reward over the lifetime as characters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from symla.report.blocks import BLOCKS, line, shrink
from symla.report.terminal import console, print_table

if TYPE_CHECKING:
    from symla.evaluation.comparison import Comparison
    from symla.evaluation.evaluation import EpisodeReturns, Evaluation
    from symla.evaluation.ranking import Standing
    from symla.evaluation.statistics import Estimate

FEW = 10  # stretches of a lifetime in which episodes ended: each is shown

Rows = tuple[list[str], list[list[str]]]  # a header, and rows of as many cells


def print_test(name: str, where: str, results: "Mapping[str, Evaluation]") -> None:
    """Print the result of a meta-test, the first of `results`, and what stands beside it.

    `where` names the environment and its transforms.
    """
    result, random = next(iter(results.values())), results.get("random")
    print(
        f"{name} on {where}: {result.lifetimes} lifetimes of {result.length} steps "
        "(mean ± 95% confidence interval; differences are paired)\n"
    )
    print_table(console, *_lifetime_rows(results))
    print()
    header, rows, scale = _step_rows(results)
    print_table(console, header, rows)
    print(f"\n{scale}")
    if random is not result:
        print(f"does it learn? {learning(result, random)}")
    if result.episodes:
        print(*_episodes(result.episodes), sep="\n")
        return
    first, last = result.first, result.last
    if first.episode_length and last.episode_length:
        print(
            f"an episode: return {first.episode_return:.2f} in the first fifth, "
            f"{last.episode_return:.2f} in the last; length {first.episode_length:.1f}, then "
            f"{last.episode_length:.1f} (what was earned and lived for each episode that ended)"
        )
    elif first.episode_length or last.episode_length:
        print(f"episodes ended in the {'first' if first.episode_length else 'last'} fifth alone")


def _episodes(returns: "EpisodeReturns") -> Iterator[str]:
    """Lines on returns of training and of evaluation."""
    known = [x for x in returns.training if x is not None]
    fifth = max(1, len(known) // 5)
    if 0 < len(known) <= FEW:
        yield f"episodes of training, exploring: return {', then '.join(map(str, known))}"
    elif known:
        first, last = (
            sum(x.mean for x in part) / len(part) for part in (known[:fifth], known[-fifth:])
        )
        yield (
            f"episodes of training, exploring: return {first:.1f} in the first fifth of the "
            f"lifetime, {last:.1f} in the last"
        )
    if returns.evaluation:
        means = [x.mean for x in returns.evaluation]
        curve = line(means, min(means), max(means))
        yield (
            f"episodes of evaluation, without exploring: {curve} {returns.evaluation[-1]} at the "
            f"end; each lifetime: {', '.join(f'{x:.1f}' for x in returns.final)}"
        )


def learning(result: "Evaluation", random: "Evaluation | None") -> str:
    """The answer of `Evaluation.learns`, and why."""
    from symla.evaluation.statistics import estimate

    answer = result.learns(random)
    of_random = answer != result.learns()  # random play is why
    by_episode = bool(result.paid) and result.ends_alone_differ(random or result)
    gain = estimate(result.counted(by_episode).improvements)
    what = f"its reward {'an episode' if by_episode else 'a step'}"
    note = f" (all steps pay {result.paid:g}, so episodes are compared)" if by_episode else ""
    why = {
        "yes": f"{what} is {four_digits(gain)} higher in the last fifth of a lifetime than in the "
        "first",
        "no": f"{what} is not higher in the last fifth of a lifetime than in the first",
        "not shown": "the interval of last - first contains 0"
        if result.lifetimes > 1
        else "one lifetime has no interval",
    }
    why_of_random = {
        "no": f"{what} rises no more than that of random play",
        "not shown": f"{what} may rise no more than that of random play",
    }
    return f"{answer}: {(why_of_random if of_random else why)[answer]}{note}"


def four_digits(x: "Estimate") -> str:
    """As rewards a step are shown."""
    return f"{x:.4f}"


def _lifetime_rows(results: "Mapping[str, Evaluation]") -> Rows:
    """Measures of whole lifetimes."""
    random = results.get("random")
    regret = any(each.regret for each in results.values())
    against = random is not None and len(results) > 1
    header = ["", "return", *["regret"] * regret, *["return - random's"] * against]
    rows = []
    for who, each in results.items():
        row = [who, str(each.return_)]
        if regret:
            row.append(str(each.regret or "-"))
        if against:
            row.append("" if each is random or random is None else str(each.difference(random)))
        rows.append(row)
    return header, rows


def _step_rows(
    results: "Mapping[str, Evaluation]",
) -> tuple[list[str], list[list[str]], str]:
    """Rewards a step, and the scale that all lines of characters have in common."""
    lines = {
        who: shrink([x.mean for x in each.reward_per_step], each.steps)
        for who, each in results.items()
    }
    low, high = (end(x for values in lines.values() for x in values) for end in (min, max))
    header = ["reward a step", "first fifth", "last fifth", "last - first", "lifetime"]
    rows = [
        [
            who,
            f"{each.first.reward.mean:.4f}",
            f"{each.last.reward.mean:.4f}",
            four_digits(each.improvement),
            line(lines[who], low, high),
        ]
        for who, each in results.items()
    ]
    scale = f"lifetime: {BLOCKS[0]} is {low:.4f}, {BLOCKS[-1]} is {high:.4f}"
    return header, rows, scale


def print_comparison(comparison: "Comparison") -> None:
    """Print the table of `symla compare`, and below it why some pairs could not be."""
    seeds = comparison.seeds
    of_seeds = f" with each of {len(seeds)} seeds" if len(seeds) > 1 else ""
    print(
        f"{comparison.lifetimes} lifetimes of {comparison.length} steps{of_seeds}, the same for "
        "all (mean ± 95% confidence interval; differences are paired)\n"
    )
    first = comparison.pairs[0].rule
    header = ["environment", "rule", "return", f"return - {first}'s", "last fifth", "last - first"]
    rows = []
    for pair in comparison.pairs:
        row = [pair.environment, pair.rule]
        if pair.result:
            result, difference = pair.result, str(pair.difference or "")
            steps = four_digits(result.last.reward), four_digits(result.improvement)
            rows.append([*row, str(result.return_), difference, *steps])
        else:
            rows.append([*row, "n/a", "", "", ""])
    print_table(console, header, rows)
    print("\nfirst and last: the reward a step in the first and last fifth of a lifetime")
    means = comparison.interquartile_means()
    if means:
        zero = "random play" if "random" in means else "the lowest mean"
        print(
            "\nover all environments: interquartile mean of lifetimes' returns, where in each 0 "
            f"is {zero} and 1 the highest mean [95% interval, stratified bootstrap]\n"
        )
        print_table(console, ["rule", "IQM"], [[who, str(x)] for who, x in means.items()])
    for pair in comparison.pairs:
        if not pair.result:
            print(f"n/a, {pair.rule} in {pair.environment}: {pair.reason}")


def print_standings(standings: "Sequence[Standing]") -> None:
    """Print how rules stand over all environments of a comparison."""
    print("\nof all environments in which a rule can be (intervals paired, by the return)")
    header = ["rule", "environments", "learned", "above random", "above Q-learning", "mean rank"]
    rows = [
        [
            each.rule,
            *map(str, (each.environments, each.learned, each.above_random, each.above_q_learning)),
            "n/a" if each.mean_rank is None else f"{each.mean_rank:.2f}",
        ]
        for each in standings
    ]
    print_table(console, header, rows)
    print("learned: the last fifth above the first, by more than random play's, and above random")
