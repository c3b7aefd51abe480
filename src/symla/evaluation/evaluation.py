"""What tests reach: sums over stretches of lifetimes, and the measures that follow from them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from symla.core.errors import require
from symla.core.text import html_table
from symla.evaluation.statistics import Estimate, estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

BINS = 100  # stretches of a lifetime of which sums are kept; a multiple of 5


class Sums(NamedTuple):
    """What is kept of each lifetime: sums over each stretch of it."""

    reward: Float[np.ndarray, "lifetimes bins"]
    ends: Float[np.ndarray, "lifetimes bins"]  # of episodes
    regret: Float[np.ndarray, "lifetimes bins"] | None = None  # None: not known there


class Lived(NamedTuple):
    """The sums of lifetimes, and where their stretches begin and end."""

    sums: Sums
    edges: Int[np.ndarray, " edges"]


def joined(parts: Sequence[Sums]) -> Sums:
    """The lifetimes of all parts, one after the other; regrets where every part has them."""
    known = [column for column in zip(*parts) if not any(sums is None for sums in column)]
    return Sums(*map(np.concatenate, known))


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
class EpisodeReturns:
    """Returns of episodes, of what learns from rollouts, over its lifetime.

    Those of training are of the episodes that it learned from, exploring; a stretch in which none
    ended has no estimate. Those of evaluation are of episodes apart, without exploring.
    """

    training: tuple[Estimate | None, ...]  # in each stretch of `Evaluation.steps`
    evaluated_at: tuple[int, ...]  # steps lived
    evaluation: tuple[Estimate, ...]  # over lifetimes, of the mean over episodes
    final: tuple[float, ...]  # of each lifetime, at the last evaluation; (): there was none


class EachLifetime(NamedTuple):
    """What each lifetime earned, and how much more of it in its last fifth than in its first."""

    returns: Float[np.ndarray, " lifetimes"]
    improvements: Float[np.ndarray, " lifetimes"]


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
    # For each episode that ended, or at least one.
    of_episodes: EachLifetime = field(repr=False, compare=False)
    paid: float | None  # by every step of all lifetimes; None: steps differ
    episodes: EpisodeReturns | None = None  # None: it does not learn from rollouts

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
            "last - first": f"{self.improvement:.4f}",
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

    def ends_alone_differ(self, *others: "Evaluation") -> bool:
        """Whether all steps of its lifetimes, and of those of others, pay the same: what was
        reached then shows in how episodes end."""
        return self.paid is not None and all(each.paid == self.paid for each in others)

    def counted(self, by_episode: bool) -> EachLifetime:
        """Of lifetimes, or for each of their episodes."""
        return self.of_episodes if by_episode else EachLifetime(self.returns, self.improvements)

    def learns(self, random: "Evaluation | None" = None) -> Literal["yes", "no", "not shown"]:
        """Whether it earns more a step in the last fifth of a lifetime than in the first; more an
        episode, where all steps pay the same.

        "yes": the interval of the improvement is above 0 and, given random play in the same
        lifetimes, so is that of the difference between their improvements, because rewards may
        rise by themselves. "no": it is not above 0 anywhere. Else it is "not shown".
        """
        beside = () if random is None else (random,)
        by_episode = self.ends_alone_differ(*beside)
        ours = self.counted(by_episode).improvements
        gains = [estimate(ours)]
        for other in beside:
            _require_same_lifetimes(self, other)
            gains.append(estimate(ours - other.counted(by_episode).improvements))
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
        """Numbers, and None for those that JSON has not."""
        found = {
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
            **({"episodes": asdict(self.episodes)} if self.episodes else {}),
        }
        return of_finite(found)


def of_finite(tree: Any) -> Any:
    """None for numbers that JSON has not: the interval of a single lifetime, say."""
    if isinstance(tree, dict):
        return {key: of_finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [of_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def evaluation(
    sums: Sums,
    edges: Int[np.ndarray, " edges"],
    seed: int | tuple[int, ...],
    episodes: EpisodeReturns | None = None,
) -> Evaluation:
    """The measures that follow from the sums."""
    (first, at_first, early), (last, at_last, late) = (fifth(sums, edges, x) for x in (0, -1))
    curve: tuple[Estimate, ...] = ()
    if sums.regret is not None:
        curve = tuple(map(estimate, np.cumsum(sums.regret, axis=1, dtype=np.float64).T))
    returns = sums.reward.sum(axis=1, dtype=np.float64)
    a_step = sums.reward / np.float64(np.diff(edges))
    same = np.allclose(a_step, a_step[0, 0], rtol=1e-5, atol=0)
    return Evaluation(
        lifetimes=sums.reward.shape[0],
        length=int(edges[-1]),
        seed=seed,
        return_=estimate(returns),
        regret=curve[-1] if curve else None,
        steps=tuple(edges[1:].tolist()),
        reward_per_step=tuple(map(estimate, a_step.T)),
        cumulative_regret=curve,
        first=first,
        last=last,
        improvement=estimate(at_last - at_first),
        returns=returns,
        improvements=at_last - at_first,
        of_episodes=EachLifetime(of_episodes(returns, sums.ends), late - early),
        paid=float(a_step[0, 0]) if same else None,
        episodes=episodes,
    )


def fifth(
    sums: Sums, edges: Int[np.ndarray, " edges"], which: int
) -> tuple[Part, Float[np.ndarray, " lifetimes"], Float[np.ndarray, " lifetimes"]]:
    """The first (0) or last (-1) fifth, and the reward of each lifetime in it: a step, and an
    episode."""
    bins = sums.reward.shape[1]
    count = max(1, bins // 5)
    part = slice(0, count) if which == 0 else slice(bins - count, bins)
    steps = int(edges[part.stop] - edges[part.start])
    reward, ends = (x[:, part].sum(axis=1, dtype=np.float64) for x in (sums.reward, sums.ends))
    ended, lived = float(ends.sum()), steps * reward.size
    return (
        Part(
            reward=estimate(reward / steps),
            ends=estimate(ends / steps),
            episode_return=float(reward.sum()) / ended if ended else None,
            episode_length=lived / ended if ended else None,
        ),
        reward / steps,
        of_episodes(reward, sums.ends[:, part]),
    )


def of_episodes(
    reward: Float[np.ndarray, " lifetimes"], ends: Float[np.ndarray, "lifetimes bins"]
) -> Float[np.ndarray, " lifetimes"]:
    """What was earned for each episode that ended, or at least one."""
    return reward / np.maximum(1.0, ends.sum(axis=1, dtype=np.float64))


def _require_same_lifetimes(one: Evaluation, other: Evaluation) -> None:
    ours, theirs = ((each.lifetimes, each.length, each.seed) for each in (one, other))
    require(
        ours == theirs,
        "only results of the same lifetimes, length and seed can be compared, lifetime by "
        f"lifetime: these have {ours} and {theirs}",
    )
