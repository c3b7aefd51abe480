"""Lifetimes are lived here, in JAX or on the host, and only their sums over stretches are kept.

Nothing is kept of a single step: rewards, regrets and ends of episodes are summed in at most BINS
stretches of each lifetime while it is lived, and every measure follows from these sums.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from symla.algorithms.base import LearningAlgorithm
from symla.algorithms.step_by_step import step_by_step
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core.errors import (
    DivergenceError,
    FaultyEnvironmentError,
    SizeError,
    SymlaError,
    require,
)
from symla.core.precision import in_float32
from symla.core.streams import Stream, stream_key
from symla.core.types import Params, PRNGKey, State, Task, Transition
from symla.environments import Environment, knows_regret, make
from symla.environments.padding import padded_as
from symla.evaluation.evaluation import BINS, Lived, Sums, joined
from symla.lifetimes.host import HostTransition, host_lifetimes
from symla.lifetimes.lifetime import bin_edges, check_length, check_lifetimes, lifetime
from symla.lifetimes.percepts import NOT_FINITE
from symla.rules.rule import Rule
from symla.runtime.devices import spread
from symla.testing.own_classes import blame

BATCH = 512  # lifetimes lived at once, at most: bounds memory
HOST_BATCH = 128  # the same, where each has an environment of its own on the host


@in_float32
def lived(
    rule: Rule,
    environment: Environment | GymnasiumEnvironment,
    lifetimes: int,
    length: int,
    seed: int,
    stream: Stream = Stream.TESTING,
) -> Lived:
    """The sums of every lifetime, wherever its environment is. Raises what `meta_test` does; what
    was `measured` before a fault is a Lived, too.

    Of a rule that was trained on padded environments, this one is padded to the same sizes.
    """
    environment = padded_as(rule.card, environment)
    if isinstance(environment, GymnasiumEnvironment):
        return _live_on_host(rule, environment, lifetimes, length, seed, stream)
    sums = live(rule, environment, lifetimes, length, seed, stream)
    return Lived(sums, bin_edges(length, min(BINS, length)))


@in_float32
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
    environment = make(environment) if isinstance(environment, str) else environment
    batch = _batch_size(lifetimes)
    algorithm = step_by_step(rule.algorithm)
    arguments = algorithm, environment, length, batch, rule.params, key
    try:
        batches = [jax.device_get(_live(*arguments, first)) for first in range(0, lifetimes, batch)]
    except SizeError:
        raise
    except Exception:
        blame(environment, algorithm)
        raise
    reward, ends, *regret = (np.concatenate(part)[:lifetimes] for part in zip(*batches))
    sums = Sums(reward, ends, *regret)
    wrong = np.flatnonzero(~np.isfinite(sums.reward).all(axis=1))
    if wrong.size:
        where = f" in {wrong.size} of {lifetimes} lifetimes, or the environment's rewards are not"
        blame(environment)
        raise DivergenceError(NOT_FINITE.format(where=where))
    return sums


def _batch_size(lifetimes: int) -> int:
    """As few batches as can be, of one size, so that hardly a lifetime is lived for nothing."""
    batches = -(-lifetimes // BATCH)
    return -(-lifetimes // batches)


def check_ranges(lifetimes: int, length: int, *seeds: int) -> None:
    """Raises SettingError outside the ranges of a test."""
    require(lifetimes >= 2, f"lifetimes must be at least 2, for an interval; got {lifetimes}")
    check_lifetimes(lifetimes)
    check_length(length)
    for seed in seeds:
        require(0 <= seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {seed}")


def _test_key(lifetimes: int, length: int, seed: int, stream: Stream) -> PRNGKey:
    """What all lifetimes of a test follow from. Raises SettingError outside ranges."""
    check_ranges(max(2, lifetimes), length, seed)  # of one test of several, one is enough
    require(lifetimes >= 1, f"lifetimes must be at least 1, got {lifetimes}")
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


def _live_on_host(
    rule: Rule,
    environment: GymnasiumEnvironment,
    lifetimes: int,
    length: int,
    seed: int,
    stream: Stream,
) -> Lived:
    """A failing environment ends the test, and takes with it what was measured before."""
    key = _test_key(lifetimes, length, seed, stream)
    finished: list[Sums] = []
    for first in range(0, lifetimes, HOST_BATCH):
        numbers = jnp.arange(first, min(first + HOST_BATCH, lifetimes))
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
        sums = _HostSums(len(keys), length)
        try:
            for transition in host_lifetimes(
                step_by_step(rule.algorithm), environment, rule.params, keys, length, first
            ):
                sums.add(transition)
        except SymlaError as fault:
            if isinstance(fault, FaultyEnvironmentError) and (finished or sums.steps):
                whole = bin_edges(length, min(BINS, length))
                measured, edges = (finished, whole) if finished else ([sums.so_far()], sums.reached)
                fault.measured = Lived(joined(measured), edges)
            raise
        finished.append(sums.so_far())
    return Lived(joined(finished), sums.reached)


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
