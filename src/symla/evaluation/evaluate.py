"""Meta-testing: frozen meta-parameters live many lifetimes; what comes out are statistics."""

from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Int

from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core.errors import FaultyEnvironmentError, SettingError, require
from symla.core.precision import in_float32
from symla.core.streams import Stream
from symla.core.text import html_table
from symla.environments import Environment, Permuted, Projected, Rewards
from symla.evaluation.lifetime_sums import Lived, Sums, lived
from symla.evaluation.statistics import Estimate, estimate
from symla.lifetimes.resolve import make
from symla.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Part:
    """A fifth of a lifetime: the first, or the last.

    Episodes are counted by their ends. So an episode's return and length are ratios of what was
    earned, or lived, to how many ended: an episode that is still under way counts with what it has
    earned so far, or long ones would be left out more often than short ones.
    """

    reward: Estimate  # a step
    ends: Estimate  # of episodes, a step
    episode_return: float | None  # reward earned for each episode that ended; None: none did
    episode_length: float | None  # steps lived for each episode that ended


@dataclass(frozen=True)
class Evaluation:
    """What a rule reached. `return_` sums the rewards of a lifetime, `regret` what was missed.

    Curves have a point for each of `steps`, the last step of each stretch: every step up to 100,
    and 100 stretches of longer lifetimes. Intervals are over lifetimes: they speak of this rule.
    """

    lifetimes: int
    length: int
    seed: int | tuple[int, ...]  # several: the lifetimes of all of them
    return_: Estimate
    regret: Estimate | None  # None: the environment does not know its regret
    steps: tuple[int, ...]
    reward_per_step: tuple[Estimate, ...]  # over lifetimes, of the mean over each stretch
    cumulative_regret: tuple[Estimate, ...]  # up to and including each of `steps`
    first: Part
    last: Part
    improvement: Estimate  # reward a step of the last fifth minus that of the first, paired
    # Of each lifetime, for differences to others that lived the same tasks.
    returns: Float[np.ndarray, " lifetimes"] = field(repr=False, compare=False)
    improvements: Float[np.ndarray, " lifetimes"] = field(repr=False, compare=False)

    def __repr__(self) -> str:
        """One line: curves would be pages."""
        regret = f", regret {self.regret}" if self.regret else ""
        return f"Evaluation(return {self.return_}{regret}, {self._where()})"

    def _repr_html_(self) -> str:
        rows = {
            "return": self.return_,
            "regret": self.regret,
            "reward a step, first fifth": f"{self.first.reward.mean:.4f}",
            "reward a step, last fifth": f"{self.last.reward.mean:.4f}",
            "last - first": f"{self.improvement.mean:.4f} ± {self.improvement.ci95:.4f}",
        }
        return html_table(f"Evaluation: {self._where()}", rows)

    def _where(self) -> str:
        return f"{self.lifetimes:,} lifetimes of {self.length:,} steps, seed {self.seed}"

    def difference(self, other: "Evaluation") -> Estimate:
        """Its return minus that of another rule in the same environment, paired by lifetime.

        Raises SettingError if the two have other lifetimes.
        """
        _require_same_lifetimes(self, other)
        return estimate(self.returns - other.returns)

    def learns(self, random: "Evaluation | None" = None) -> Literal["yes", "no", "not shown"]:
        """Whether it earns more a step in the last fifth of a lifetime than in the first.

        "yes": the interval of `improvement` is above 0 and, given random play in the same
        lifetimes, so is that of the difference between their improvements, because rewards may
        rise by themselves. "no": it is not above 0 anywhere. Else it is "not shown".
        """
        gains = [self.improvement]
        if random is not None:
            _require_same_lifetimes(self, random)
            gains.append(estimate(self.improvements - random.improvements))
        if all(gain.low > 0 for gain in gains):
            return "yes"
        return "no" if any(gain.high <= 0 for gain in gains) else "not shown"

    def plot(
        self,
        path: str | PathLike[str] | None = None,
        beside: "Mapping[str, Evaluation] | None" = None,
        *,
        name: str = "this rule",
        title: str = "",
    ) -> "Figure":
        """Reward a step over the lifetime with its 95% interval, and that of others `beside` it.

        Returns the figure of matplotlib. With a `path` it is also written there, as .png or .svg;
        raises SettingError for any other suffix, and for a folder that is not there.
        """
        from symla.report.figure_files import save
        from symla.report.lifetime_figures import draw_lifetimes

        results = {name: self, **(beside or {})}
        figure = draw_lifetimes({title: {who: each.to_json() for who, each in results.items()}})
        if path is not None:
            save(figure, Path(path))
        return figure

    def to_json(self) -> dict[str, Any]:
        """Numbers only."""
        return {
            "lifetimes": self.lifetimes,
            "length": self.length,
            "seed": self.seed if isinstance(self.seed, int) else list(self.seed),
            "return": asdict(self.return_),
            "regret": asdict(self.regret) if self.regret else None,
            "steps": list(self.steps),
            "reward_per_step": [each.mean for each in self.reward_per_step],
            "reward_per_step_ci95": [each.ci95 for each in self.reward_per_step],
            "first_fifth": asdict(self.first),
            "last_fifth": asdict(self.last),
            "improvement": asdict(self.improvement),
        }


@in_float32
def meta_test(
    rule: Rule,
    environment: Any,
    lifetimes: int = 1000,
    length: int = 100,
    seed: int = 0,
    stream: Stream = Stream.TESTING,
    *,
    permute: bool = False,
    project: int | None = None,
    swap_rewards: bool = False,
) -> Evaluation:
    """Let `rule` live `lifetimes` lifetimes of `length` steps each, its meta-parameters frozen.

    `environment` is whatever `symla.make` takes, a name or an object of symla or of Gymnasium; the
    three keywords change it as `transformed` says. The same seed gives the same tasks to every
    rule; those of `Stream.CHOOSING` are for choosing among rules, and never reported. Raises
    SettingError for fewer than 2 lifetimes or a length below 1, UnknownNameError for an unknown
    name, SizeError if the rule cannot take the environment's sizes, DivergenceError if the rule's
    outputs are not finite, FaultyEnvironmentError, with what was `measured` before, if an
    environment of Gymnasium fails.
    """
    environment = transformed(make(environment), permute, project, swap_rewards)
    try:
        return evaluation(*lived(rule, environment, lifetimes, length, seed, stream), seed)
    except FaultyEnvironmentError as fault:
        if isinstance(fault.measured, Lived):
            fault.measured = evaluation(*fault.measured, seed)
        raise


def transformed(
    environment: Environment | GymnasiumEnvironment,
    permute: bool = False,
    project: int | None = None,
    swap_rewards: bool = False,
) -> Environment | GymnasiumEnvironment:
    """`permute`: observations and actions in another order; `project`: observations through a
    random linear map to that many numbers; both are drawn once a lifetime. `swap_rewards`: what was
    good is bad. Raises SettingError for an environment of Gymnasium."""
    if not (permute or swap_rewards or project is not None):
        return environment
    if isinstance(environment, GymnasiumEnvironment):
        raise SettingError(
            f"{environment.name} cannot be permuted, projected or have its rewards swapped, which "
            "is for environments in JAX: wrap it with gymnasium.wrappers instead"
        )
    if swap_rewards:
        environment = Rewards(environment, swap=1.0)
    if project is not None:
        environment = Projected(environment, project)
    return Permuted(environment) if permute else environment


def evaluation(
    sums: Sums, edges: Int[np.ndarray, " edges"], seed: int | tuple[int, ...]
) -> Evaluation:
    """The measures that follow from the sums."""
    (first, at_first), (last, at_last) = (fifth(sums, edges, which) for which in (0, -1))
    curve: tuple[Estimate, ...] = ()
    if sums.regret is not None:
        curve = tuple(map(estimate, np.cumsum(sums.regret, axis=1, dtype=np.float64).T))
    returns = sums.reward.sum(axis=1, dtype=np.float64)
    return Evaluation(
        lifetimes=sums.reward.shape[0],
        length=int(edges[-1]),
        seed=seed,
        return_=estimate(returns),
        regret=curve[-1] if curve else None,
        steps=tuple(edges[1:].tolist()),
        reward_per_step=tuple(map(estimate, (sums.reward / np.float64(np.diff(edges))).T)),
        cumulative_regret=curve,
        first=first,
        last=last,
        improvement=estimate(at_last - at_first),
        returns=returns,
        improvements=at_last - at_first,
    )


def fifth(
    sums: Sums, edges: Int[np.ndarray, " edges"], which: int
) -> tuple[Part, Float[np.ndarray, " lifetimes"]]:
    """The first (0) or last (-1) fifth, and the reward a step of each lifetime in it."""
    bins = sums.reward.shape[1]
    count = max(1, bins // 5)
    part = slice(0, count) if which == 0 else slice(bins - count, bins)
    steps = int(edges[part.stop] - edges[part.start])
    reward, ends = (x[:, part].sum(axis=1, dtype=np.float64) for x in (sums.reward, sums.ends))
    ended, lived = float(ends.sum()), steps * reward.size
    return Part(
        reward=estimate(reward / steps),
        ends=estimate(ends / steps),
        episode_return=float(reward.sum()) / ended if ended else None,
        episode_length=lived / ended if ended else None,
    ), reward / steps


def _require_same_lifetimes(one: Evaluation, other: Evaluation) -> None:
    ours, theirs = ((each.lifetimes, each.length, each.seed) for each in (one, other))
    require(
        ours == theirs,
        "only results of the same lifetimes, length and seed can be compared, lifetime by "
        f"lifetime: these have {ours} and {theirs}",
    )
