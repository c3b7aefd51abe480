"""A test of what learns from rollouts: long lifetimes, a stretch at a time, that can be stored.

`lifetime_sums` lives lifetimes in one piece; these may take hours. `learning_lives` lives them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from symla.algorithms.base import Greedy, LearnsFromRollouts
from symla.core.errors import require
from symla.core.text import brief
from symla.evaluation.evaluation import BINS, EpisodeReturns, Evaluation, Sums, evaluation, joined
from symla.evaluation.statistics import estimate
from symla.lifetimes.host import is_on_host, spec_of
from symla.lifetimes.host_learning import HostLearning
from symla.lifetimes.learning import LearningLife
from symla.lifetimes.lifetime import bin_edges, check_length, check_lifetimes


@dataclass(frozen=True)
class LearningTest:
    """What is lived: static, so that each is compiled once. Raises SettingError outside ranges."""

    algorithm: LearnsFromRollouts
    environment: Any
    lifetimes: int
    length: int  # steps of a lifetime, in all its environments together
    evaluate_every: int  # steps; 0: never
    episodes: int = 10  # of an evaluation, each

    def __post_init__(self):
        workers = self.algorithm.workers
        check_lifetimes(self.lifetimes)
        check_length(self.length)
        require(
            self.length >= workers and self.length % workers == 0,
            f"{brief(self.algorithm)} lives in {workers} environments side by side: length must be "
            f"a multiple of {workers}, got {self.length}",
        )
        require(
            self.evaluate_every >= 0,
            f"evaluate_every must be at least 0 steps (0: never), got {self.evaluate_every}",
        )
        require(self.episodes >= 1, f"episodes must be at least 1, got {self.episodes}")

    @property
    def stretch(self) -> int:
        """Steps between two calls of `learn`, in all environments of a lifetime together."""
        return self.algorithm.interval * self.algorithm.workers

    @property
    def edges(self) -> Int[np.ndarray, " edges"]:
        """Steps at which the stretches begin of which sums are kept, and the end."""
        steps = self.length // self.algorithm.workers
        return bin_edges(steps, min(BINS, steps)) * np.int32(self.algorithm.workers)

    @property
    def evaluated_at(self) -> tuple[int, ...]:
        """After how many steps: whole stretches, and the end."""
        if not self._can_be_evaluated:
            return ()
        wanted = [*range(self.evaluate_every, self.length, self.evaluate_every)]
        whole = {min(self.length, math.ceil(t / self.stretch) * self.stretch) for t in wanted}
        return tuple(sorted(whole | {self.length}))

    @property
    def _can_be_evaluated(self) -> bool:
        lasts = spec_of(self.environment).episode_length is not None
        return (
            self.evaluate_every > 0
            and isinstance(self.algorithm, Greedy)
            and (lasts or is_on_host(self.environment))
        )


class Reached(NamedTuple):
    """What is known of lifetimes so far."""

    reward: Float[np.ndarray, "lifetimes bins"]  # sums, as `Sums` has them
    ends: Float[np.ndarray, "lifetimes bins"]
    returns: Float[np.ndarray, "lifetimes bins"]  # of the episodes that ended
    evaluations: Float[np.ndarray, "lifetimes points episodes"]  # NaN: not yet


class LearningState(NamedTuple):
    """Between two stretches: all that a checkpoint holds."""

    reached: Reached
    lives: LearningLife | HostLearning


def learning_test(
    algorithm: Any, environment: Any, lifetimes: int, length: int, evaluate_every: int | None
) -> LearningTest:
    """A test with the usual times of evaluation, and with a replay buffer no larger than a lifetime
    can fill, in which the same is learned. Raises SettingError outside ranges."""
    capacity = getattr(algorithm, "capacity", 0)
    enough = max(length, algorithm.interval * algorithm.workers)
    if capacity > enough:
        algorithm = replace(algorithm, capacity=enough)
    every = max(1, length // 10) if evaluate_every is None else evaluate_every
    return LearningTest(algorithm, environment, lifetimes, length, every)


def result_of(
    test: LearningTest, reached: Sequence[Reached], seed: int | tuple[int, ...]
) -> Evaluation:
    """The measures that follow from whole lifetimes, of one seed or of several."""
    sums = joined([Sums(each.reward, each.ends) for each in reached])
    return evaluation(sums, test.edges, seed, _returns(test, reached))


def latest(test: LearningTest, reached: Reached, done: int) -> dict[str, float]:
    """Mean returns over lifetimes, as they were last: of the episodes in training that ended in the
    stretch up to `done`, and of the evaluation then; what is not known is left out."""
    bins = max(1, int(np.searchsorted(test.edges, done)))
    recent = slice(max(0, bins - 5), bins)
    ends, found = float(reached.ends[:, recent].sum()), {}
    if ends:
        found["training_return"] = float(reached.returns[:, recent].sum()) / ends
    points = [i for i, at in enumerate(test.evaluated_at) if at <= done]
    if points:
        found["evaluation_return"] = float(reached.evaluations[:, points[-1]].mean())
    return found


def _returns(test: LearningTest, reached: Sequence[Reached]) -> EpisodeReturns:
    ends, sums, evaluations = (
        np.concatenate([getattr(each, name) for each in reached])
        for name in ("ends", "returns", "evaluations")
    )
    means = [
        estimate(own[some > 0] / some[some > 0]) if some.any() else None
        for own, some in zip(sums.T.astype(np.float64), ends.T)
    ]
    points = evaluations.mean(axis=2, dtype=np.float64)
    return EpisodeReturns(
        training=tuple(means),
        evaluated_at=test.evaluated_at,
        evaluation=tuple(map(estimate, points.T)),
        final=tuple(points[:, -1].tolist()) if test.evaluated_at else (),
    )
