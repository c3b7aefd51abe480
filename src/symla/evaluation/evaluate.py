"""Meta-testing: frozen meta-parameters live many lifetimes; what comes out are statistics.

Nothing is kept of a single step: rewards, regrets and ends of episodes are summed in at most BINS
stretches of each lifetime while it is lived, and every measure follows from these sums.
"""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from symla.algorithms.base import LearningAlgorithm
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core.errors import DivergenceError, FaultyEnvironmentError, SymlaError, require
from symla.core.streams import Stream, stream_key
from symla.core.types import Params, PRNGKey, State, Task, Transition
from symla.environments import Environment, knows_regret, registry
from symla.evaluation.statistics import Estimate, estimate
from symla.lifetimes.host import HostTransition, host_lifetimes
from symla.lifetimes.lifetime import bin_edges, lifetime
from symla.lifetimes.percepts import NOT_FINITE
from symla.lifetimes.resolve import make
from symla.rules.rule import Rule
from symla.runtime.devices import spread

BATCH = 512  # lifetimes lived at once, at most: bounds memory
HOST_BATCH = 128  # the same, where each has an environment of its own on the host
BINS = 100  # stretches of a lifetime of which sums are kept; a multiple of 5


class Sums(NamedTuple):
    """What is kept of each lifetime: sums over each stretch of it."""

    reward: Float[np.ndarray, "lifetimes bins"]
    ends: Float[np.ndarray, "lifetimes bins"]  # of episodes
    regret: Float[np.ndarray, "lifetimes bins"] | None = None  # None: not known there


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
    seed: int
    return_: Estimate
    regret: Estimate | None  # None: the environment does not know its regret
    steps: tuple[int, ...]
    reward_per_step: tuple[float, ...]  # mean over lifetimes and the steps of each stretch
    cumulative_regret: tuple[Estimate, ...]  # up to and including each of `steps`
    first: Part
    last: Part
    improvement: Estimate  # reward a step of the last fifth minus that of the first, paired

    def to_json(self) -> dict[str, Any]:
        """Numbers only."""
        return {
            "lifetimes": self.lifetimes,
            "length": self.length,
            "seed": self.seed,
            "return": asdict(self.return_),
            "regret": asdict(self.regret) if self.regret else None,
            "steps": list(self.steps),
            "reward_per_step": list(self.reward_per_step),
            "first_fifth": asdict(self.first),
            "last_fifth": asdict(self.last),
            "improvement": asdict(self.improvement),
        }


def meta_test(
    rule: Rule,
    environment: Any,
    lifetimes: int = 1000,
    length: int = 100,
    seed: int = 0,
    stream: Stream = Stream.TESTING,
) -> Evaluation:
    """Let `rule` live `lifetimes` lifetimes of `length` steps each, its meta-parameters frozen.

    `environment` is whatever `symla.make` takes: a name, or an object of symla or Gymnasium. The
    same seed gives the same tasks to every rule; those of `Stream.CHOOSING` are for choosing among
    rules, and never reported. Raises SettingError for fewer than 2 lifetimes or a
    length below 1, UnknownNameError for an unknown name, SizeError if the rule cannot take the
    environment's sizes, DivergenceError if the rule's outputs are not finite,
    FaultyEnvironmentError, with what was `measured` before, if an environment of Gymnasium fails.
    """
    environment = make(environment)
    if isinstance(environment, GymnasiumEnvironment):
        return _test_on_host(rule, environment, lifetimes, length, seed, stream)
    sums = live(rule, environment, lifetimes, length, seed, stream)
    return evaluation(sums, bin_edges(length, min(BINS, length)), seed)


def evaluation(sums: Sums, edges: Int[np.ndarray, " edges"], seed: int) -> Evaluation:
    """The measures that follow from the sums."""
    steps = np.diff(edges)
    first, last = (fifth(sums, edges, which) for which in (0, -1))
    curve: tuple[Estimate, ...] = ()
    if sums.regret is not None:
        curve = tuple(map(estimate, np.cumsum(sums.regret, axis=1, dtype=np.float64).T))
    return Evaluation(
        lifetimes=sums.reward.shape[0],
        length=int(edges[-1]),
        seed=seed,
        return_=estimate(sums.reward.sum(axis=1, dtype=np.float64)),
        regret=curve[-1] if curve else None,
        steps=tuple(edges[1:].tolist()),
        reward_per_step=tuple((sums.reward.mean(axis=0, dtype=np.float64) / steps).tolist()),
        cumulative_regret=curve,
        first=first[0],
        last=last[0],
        improvement=estimate(last[1] - first[1]),
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


def live(
    rule: Rule,
    environment: Environment | str,
    lifetimes: int,
    length: int,
    seed: int,
    stream: Stream = Stream.TESTING,
) -> Sums:
    """The sums of every lifetime. Raises what `meta_test` does."""
    key = _test_key(lifetimes, length, seed, stream)
    environment = registry.make(environment) if isinstance(environment, str) else environment
    batch = _batch_size(lifetimes)
    batches = [
        jax.device_get(_live(rule.algorithm, environment, length, batch, rule.params, key, first))
        for first in range(0, lifetimes, batch)
    ]
    reward, ends, *regret = (np.concatenate(part)[:lifetimes] for part in zip(*batches))
    sums = Sums(reward, ends, *regret)
    wrong = np.flatnonzero(~np.isfinite(sums.reward).all(axis=1))
    if wrong.size:
        where = f" in {wrong.size} of {lifetimes} lifetimes, or the environment's rewards are not"
        raise DivergenceError(NOT_FINITE.format(where=where))
    return sums


def _batch_size(lifetimes: int) -> int:
    """As few batches as can be, of one size, so that hardly a lifetime is lived for nothing."""
    batches = -(-lifetimes // BATCH)
    return -(-lifetimes // batches)


def _test_key(lifetimes: int, length: int, seed: int, stream: Stream) -> PRNGKey:
    """What all lifetimes of a test follow from. Raises SettingError outside ranges."""
    require(lifetimes >= 2, f"lifetimes must be at least 2, for an interval; got {lifetimes}")
    require(length >= 1, f"length must be at least 1 step, got {length}")
    require(0 <= seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {seed}")
    return stream_key(seed, stream)


@partial(jax.jit, static_argnames=("algorithm", "environment", "length", "batch"))
def _live(
    algorithm: LearningAlgorithm,
    environment: Environment,
    length: int,
    batch: int,
    params: Params,
    key: PRNGKey,
    first: int | Int[Array, ""],
) -> tuple[Float[Array, "batch bins"], ...]:
    """The sums of `batch` lifetimes from number `first`, over all devices: what `Sums` has, without
    the regret where it is not known.

    Lifetime i follows from (key, i) alone.
    """

    def record(
        transition: Transition, task: Task, learner: State, world: State
    ) -> tuple[Float[Array, ""], ...]:
        ended = (transition.terminated | transition.truncated).astype(jnp.float32)
        seen = transition.reward, ended
        if not knows_regret(environment):
            return seen
        return *seen, environment.regret(task, transition.action)

    def one(number, params, key):
        own_key = jax.random.fold_in(key, number)
        arguments = algorithm, environment, params, own_key, length
        return lifetime(*arguments, record=record, bins=min(BINS, length))[2]

    return spread(jax.vmap(one, (0, None, None)))(
        jnp.arange(batch) + jnp.asarray(first, jnp.int32), params, key
    )


def _test_on_host(
    rule: Rule,
    environment: GymnasiumEnvironment,
    lifetimes: int,
    length: int,
    seed: int,
    stream: Stream,
) -> Evaluation:
    """A failing environment ends the test, and takes with it what was measured before."""
    key = _test_key(lifetimes, length, seed, stream)
    finished: list[Sums] = []
    for first in range(0, lifetimes, HOST_BATCH):
        numbers = jnp.arange(first, min(first + HOST_BATCH, lifetimes))
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
        sums = _HostSums(len(keys), length)
        try:
            for transition in host_lifetimes(
                rule.algorithm, environment, rule.params, keys, length, first
            ):
                sums.add(transition)
        except SymlaError as fault:
            if isinstance(fault, FaultyEnvironmentError) and (finished or sums.steps):
                whole = bin_edges(length, min(BINS, length))
                measured, edges = (finished, whole) if finished else ([sums.so_far()], sums.reached)
                fault.measured = evaluation(_joined(measured), edges, seed)
            raise
        finished.append(sums.so_far())
    return evaluation(_joined(finished), sums.reached, seed)


class _HostSums:
    """Sums over stretches of lifetimes that are lived step by step."""

    def __init__(self, lifetimes: int, length: int):
        self.edges = bin_edges(length, min(BINS, length))
        self.reward = np.zeros((lifetimes, self.edges.size - 1), np.float32)
        self.ends = np.zeros_like(self.reward)
        self.steps = self.bin = 0

    def add(self, transition: HostTransition) -> None:
        """Add one step of all lifetimes."""
        self.reward[:, self.bin] += transition.reward
        self.ends[:, self.bin] += transition.terminated | transition.truncated
        self.steps += 1
        self.bin += self.steps == self.edges[self.bin + 1]

    @property
    def reached(self) -> Int[np.ndarray, " edges"]:
        """The edges of all whole stretches; of the one under way only if none is whole."""
        if self.bin:
            return self.edges[: self.bin + 1]
        return np.array([0, self.steps], self.edges.dtype)

    def so_far(self) -> Sums:
        """The sums of the stretches that `reached` has."""
        bins = self.reached.size - 1
        return Sums(self.reward[:, :bins], self.ends[:, :bins])


def _joined(parts: list[Sums]) -> Sums:
    return Sums(*(np.concatenate(column) for column in zip(*(part[:2] for part in parts))))
