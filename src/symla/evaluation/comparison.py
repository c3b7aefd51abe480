"""Several rules in several environments, in the same lifetimes: what each reaches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symla.algorithms.base import LearnsFromRollouts
from symla.algorithms.helped import Helped
from symla.algorithms.step_by_step import step_by_step
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core.errors import SymlaError, UnknownNameError, require
from symla.core.precision import in_float32
from symla.core.settings import whole
from symla.core.streams import Stream
from symla.core.text import html_table
from symla.environments import Environment, name_of
from symla.environments.padding import padded_as
from symla.evaluation.aggregates import (
    Aggregate,
    Scores,
    bootstrapped,
    interquartile_mean,
    normalised,
    performance_profile,
)
from symla.evaluation.evaluate import BLACK_BOXES, LEARNERS, AnyRule, rule_for
from symla.evaluation.evaluation import Evaluation, evaluation, joined, of_finite
from symla.evaluation.learning_lives import learned
from symla.evaluation.learning_test import learning_test, result_of
from symla.evaluation.lifetime_sums import check_ranges, lived
from symla.evaluation.statistics import Estimate
from symla.lifetimes.resolve import make
from symla.rules.loading import hand_made, is_hand_made, load
from symla.rules.rule import Rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AnyEnvironment = Any  # what `symla.make` takes


@dataclass(frozen=True)
class Help:
    """What is done to what all rules perceive, see `Helped`."""

    normalise_rewards: bool = False
    bins: int = 0  # of each number of an observation; 0: as it is

    def __call__(self, rule: Rule) -> Rule:
        """The rule with this help, if there is any."""
        if self == Help():
            return rule
        algorithm = step_by_step(rule.algorithm)
        helped = Helped(algorithm, self.normalise_rewards, self.bins)
        return Rule(helped, rule.params, rule.card)


@dataclass(frozen=True)
class Pair:
    """A rule in an environment: what it reached, or the reason why it cannot be there."""

    environment: str
    rule: str
    result: Evaluation | None
    difference: Estimate | None  # its return minus that of the first rule there, paired
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """Every rule in every environment, in the order in which they were given."""

    pairs: tuple[Pair, ...]
    lifetimes: int  # with each seed
    length: int
    seeds: tuple[int, ...]
    help: Help = Help()

    def __repr__(self) -> str:
        """One line: all results would be pages."""
        rules = len({pair.rule for pair in self.pairs})
        environments = len({pair.environment for pair in self.pairs})
        return (
            f"Comparison({rules} rules in {environments} environments, {self.lifetimes:,} "
            f"lifetimes of {self.length:,} steps, seeds {', '.join(map(str, self.seeds))})"
        )

    def _repr_html_(self) -> str:
        rows = {
            f"{pair.environment}, {pair.rule}": pair.result.return_ if pair.result else pair.reason
            for pair in self.pairs
        }
        return html_table("return of a lifetime (mean and 95% interval)", rows)

    def plot(self, path: str | PathLike[str] | None = None) -> "Figure":
        """Reward a step over the lifetime with its 95% interval, a panel for each environment.

        Returns the figure of matplotlib. With a `path` it is also written there, as .png or .svg.
        Raises SettingError for any other suffix, for a folder that is not there, and if no rule
        could be in any environment.
        """
        from symla.report.figure_files import save
        from symla.report.lifetime_figures import draw_lifetimes

        panels: dict[str, dict[str, Any]] = {}
        for pair in self.pairs:
            if pair.result:
                panels.setdefault(pair.environment, {})[pair.rule] = pair.result.to_json()
        require(bool(panels), "there is nothing to draw: none of the rules has a result")
        figure = draw_lifetimes(panels)
        if path is not None:
            save(figure, Path(path))
        return figure

    def scores(self) -> dict[str, Scores]:
        """By rule, [lifetimes, environments]: returns as `aggregates.normalised` has them, 0 where
        random play is, if it is compared. Of rules that can be in all environments, and of several
        environments; else none."""
        places = dict.fromkeys(pair.environment for pair in self.pairs)
        found: dict[str, dict[str, Any]] = {}
        for pair in self.pairs:
            if pair.result:
                found.setdefault(pair.rule, {})[pair.environment] = pair.result.returns
        everywhere = {rule: has for rule, has in found.items() if len(has) == len(places)}
        if len(places) < 2 or len(everywhere) < 2:
            return {}
        return normalised(everywhere, "random" if "random" in everywhere else None)

    def interquartile_means(self) -> dict[str, Aggregate]:
        """Over all environments, by rule, with intervals over lifetimes; none as of `scores`."""
        return {rule: bootstrapped(x, interquartile_mean) for rule, x in self.scores().items()}

    def plot_profiles(self, path: str | PathLike[str] | None = None) -> "Figure":
        """Performance profiles over all environments, and interquartile means.

        Returns and writes as `plot`; raises SettingError also where there are no `scores`.
        """
        from symla.report.figure_files import save
        from symla.report.profile_figures import draw_profiles

        scores = self.scores()
        require(
            bool(scores),
            "profiles need at least 2 environments, and 2 rules that can be in all of them",
        )
        low, high = (f([f(x) for x in scores.values()]) for f in (np.min, np.max))
        thresholds = np.linspace(low, high, 101)
        profiles = {
            rule: bootstrapped(x, lambda y: performance_profile(y, thresholds))
            for rule, x in scores.items()
        }
        means = self.interquartile_means()
        figure = draw_profiles(
            thresholds,
            {rule: (x.value, x.low, x.high) for rule, x in profiles.items()},
            {rule: (float(x.value), float(x.low), float(x.high)) for rule, x in means.items()},
        )
        if path is not None:
            save(figure, Path(path))
        return figure

    def to_json(self) -> dict[str, Any]:
        """Numbers, names and reasons."""
        return {
            "lifetimes": self.lifetimes,
            "length": self.length,
            "seeds": list(self.seeds),
            **({"help": asdict(self.help)} if self.help != Help() else {}),
            "pairs": [_pair_to_json(pair) for pair in self.pairs],
            "interquartile_means": {
                rule: {key: float(x) for key, x in vars(found).items()}
                for rule, found in self.interquartile_means().items()
            },
        }


@in_float32
def compare(
    rules: Sequence[AnyRule] | Mapping[str, AnyRule],
    environments: Sequence[AnyEnvironment] | Mapping[str, AnyEnvironment],
    *,
    lifetimes: int | None = None,
    length: int | None = None,
    seeds: Sequence[int] = (0,),
    normalise_rewards: bool = False,
    bins: int = 0,
    evaluate_every: int | None = None,
    watch: Callable[[Pair], None] = lambda pair: None,
) -> Comparison:
    """Let every rule live the same `lifetimes` lifetimes of `length` steps in every environment.

        symla.compare(["bandits", "thompson"], ["bandit-arms-5", "bandit-arms-20"]).plot("it.png")

    There are by default 1,000 lifetimes of 100 steps; if one of the rules learns from rollouts, 2
    of 20,000, or 1 with each of several seeds. `seeds` are of the tasks: the lifetimes of all of
    them count together. A mapping gives names of one's own. A pair that cannot be, a rule of other
    sizes say, has the reason instead of a result. `normalise_rewards` and `bins` help all rules
    alike, as `Helped` says; one that learns from rollouts then lives in one environment at a time.
    Those are evaluated every `evaluate_every` steps, as `meta_test` has it; 0: never. `watch` sees
    each pair as it is done.
    Raises SettingError outside ranges or for nothing to compare, UnknownNameError, CheckpointError.
    """
    seeds = tuple(whole(seed, "a seed") for seed in seeds)
    require(
        0 < len(seeds) == len(set(seeds)), f"seeds must be different numbers, got {list(seeds)}"
    )
    who = {name: _loaded(rule) for name, rule in _named(rules, "rule").items()}
    slow = any(map(_learns_from_rollouts, who.values()))
    usual, steps = LEARNERS if slow else BLACK_BOXES
    if slow and len(seeds) > 1:
        usual = 1
    lifetimes = usual if lifetimes is None else whole(lifetimes, "lifetimes")
    length = steps if length is None else whole(length, "length")
    check_ranges(lifetimes * len(seeds), length, *seeds)
    if not isinstance(environments, Mapping):
        environments = [each if isinstance(each, str) else make(each) for each in environments]
    where = {name: make(each) for name, each in _named(environments, "environment").items()}
    help = Help(normalise_rewards, bins)
    pairs: list[Pair] = []

    def add(pair: Pair) -> None:
        pairs.append(pair)
        watch(pair)

    for place, environment in where.items():
        first: Evaluation | None = None
        for name, rule in who.items():
            try:
                result = _test(rule, environment, lifetimes, length, seeds, help, evaluate_every)
            except UnknownNameError:
                raise
            except SymlaError as error:
                add(Pair(place, name, None, None, str(error)))
                continue
            add(Pair(place, name, result, result.difference(first) if first else None))
            if name == next(iter(who)):
                first = result
    return Comparison(tuple(pairs), lifetimes, length, seeds, help)


def _loaded(rule: AnyRule) -> Rule | str:
    """A hand-made one stays a name: what it is may depend on the environment."""
    if isinstance(rule, Rule):
        return rule
    return rule if isinstance(rule, str) and is_hand_made(rule) else load(rule)


def _learns_from_rollouts(rule: Rule | str) -> bool:
    algorithm = (hand_made(rule) if isinstance(rule, str) else rule).algorithm
    return isinstance(algorithm, LearnsFromRollouts)


def _named(things: Sequence[Any] | Mapping[str, Any], kind: str) -> dict[str, Any]:
    """By the name under which each is shown. Raises SettingError for nothing."""
    require(len(things) > 0, f"there is nothing to compare: give at least one {kind}")
    if isinstance(things, Mapping):
        return dict(things)
    named: dict[str, Any] = {}
    for thing in things:
        name, number = _name(thing), 2
        one_thing = isinstance(thing, str | PathLike)  # of that name
        while name in named and named[name] is not thing and not one_thing:
            name, number = f"{_name(thing)} ({number})", number + 1
        named[name] = thing
    return named


def _name(thing: Any) -> str:
    if isinstance(thing, Rule):
        return type(thing.algorithm).__name__
    if isinstance(thing, str | PathLike):
        return fspath(thing)
    if isinstance(thing, GymnasiumEnvironment):
        return thing.name
    return name_of(thing) or repr(thing)


def _test(
    rule: Rule | str,
    environment: Environment | GymnasiumEnvironment,
    lifetimes: int,
    length: int,
    seeds: tuple[int, ...],
    help: Help,
    evaluate_every: int | None,
) -> Evaluation:
    """Of the lifetimes of all seeds together."""
    rule = help(rule_for(rule, environment, length))
    seed = seeds if len(seeds) > 1 else seeds[0]
    if isinstance(rule.algorithm, LearnsFromRollouts):
        environment = padded_as(rule.card, environment)
        test = learning_test(rule.algorithm, environment, lifetimes, length, evaluate_every)
        reached = [learned(test, rule.params, each, Stream.TESTING) for each in seeds]
        return result_of(test, reached, seed)
    parts = [lived(rule, environment, lifetimes, length, each) for each in seeds]
    return evaluation(joined([part.sums for part in parts]), parts[0].edges, seed)


def _pair_to_json(pair: Pair) -> dict[str, Any]:
    names = {"environment": pair.environment, "rule": pair.rule}
    if pair.result is None:
        return {**names, "reason": pair.reason}
    difference = of_finite(asdict(pair.difference)) if pair.difference else None
    return {**names, **pair.result.to_json(), "difference_to_first": difference}
