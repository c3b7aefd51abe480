"""The lifetimes of a `LearningTest`, a stretch at a time: in JAX on all devices, or on the host.

Between stretches the host sees what was reached, saves it, and asks for returns without
exploration.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from symla.algorithms.base import Greedy
from symla.algorithms.parts.replay import is_replay
from symla.bridge.pool import keep_pools
from symla.core.errors import DivergenceError, SettingError
from symla.core.precision import in_float32
from symla.core.random_numbers import fast_key
from symla.core.streams import Stream, stream_key
from symla.core.text import brief
from symla.core.trees import size_in_bytes
from symla.core.types import Params
from symla.evaluation.learning_test import LearningState, LearningTest, Reached
from symla.lifetimes import host_learning, learning
from symla.lifetimes.host import is_on_host, spec_of
from symla.lifetimes.learning import Happened, LearningLife, bins_of
from symla.runtime.devices import grouped, on_each, ungrouped
from symla.runtime.machine import MEMORY, available_memory

EVALUATIONS = 1 << 20  # what the numbers of evaluations are folded into a lifetime's key with

Watch = Callable[[int, Reached, Callable[[], LearningState]], bool | None]
"""Called between stretches, with the steps done, what was reached, and the state if it is wanted;
what is true ends the test early."""


@in_float32
def begin(test: LearningTest, params: Params, seed: int, stream: Stream) -> LearningState:
    """Before the first step. Raises SettingError if the states do not fit in memory.

    `params` may be on any devices, also on several.
    """
    keys = _keys(stream_key(seed, stream), test.lifetimes)
    _check_memory(test, params, keys)
    params = jax.device_get(params)  # each group of lifetimes takes them to its own device
    if is_on_host(test.environment):
        steps = test.length // test.algorithm.workers
        own = jax.tree.map(jnp.asarray, params)
        lives = host_learning.born(test.algorithm, test.environment, own, keys, steps)
    else:
        lives = _born(test, params, keys)
    bins = test.edges.size - 1
    none = np.zeros((test.lifetimes, bins), np.float32)
    points = test.lifetimes, len(test.evaluated_at), test.episodes
    return LearningState(Reached(none, none, none, np.full(points, np.nan, np.float32)), lives)


@in_float32
def live(
    test: LearningTest,
    params: Params,
    state: LearningState,
    done: int,
    watch: Watch,
    seconds: float = 1.0,
) -> tuple[LearningState, int]:
    """From step `done` to the end, or until `watch` returns true: it is called about every
    `seconds`. Returns where lifetimes are then, and how many steps of each are done.

    Raises DivergenceError for learners that are not finite any more, with what `watch` saw last
    unchanged, and FaultyEnvironmentError.
    """
    advance = _HostStretches if is_on_host(test.environment) else _Stretches
    with keep_pools():
        return advance(test, params).live(state, done, watch, seconds)


@in_float32
def learned(
    test: LearningTest, params: Params, seed: int, stream: Stream, watch: Watch | None = None
) -> Reached:
    """All of it, in one go. Raises what `begin` and `live` do."""
    state = begin(test, params, seed, stream)
    state, _ = live(test, params, state, 0, watch or (lambda *_: None))
    return state.reached


class _Stretches:
    """Lifetimes where environments are in JAX: some stretches in one compiled call."""

    def __init__(self, test: LearningTest, params: Params):
        self.test, self.params = test, jax.device_get(params)
        self.count = 1  # stretches in a call

    def live(
        self, state: LearningState, done: int, watch: Watch, seconds: float
    ) -> tuple[LearningState, int]:
        test = self.test
        lives, reached = self.placed(state)
        points = test.evaluated_at
        while done < test.length:
            begun = time.monotonic()
            to_point = min((p for p in points if p > done), default=test.length) - done
            count = min(self.count, max(1, to_point // test.stretch))
            lives, reached, done, finite = self.advance(lives, reached, done, count)
            self.check(finite, done)
            if done in points:
                returns = self.evaluate(lives, points.index(done))
                reached.evaluations[:, points.index(done)] = returns
            taken = time.monotonic() - begun
            pace = taken / count
            self.count = max(1, min(2 * self.count, int(seconds / max(pace, 1e-6))))
            if watch(done, reached, partial(self.state, reached, lives)):
                break
        return self.state(reached, lives), done

    def placed(self, state: LearningState) -> tuple[Any, Reached]:
        """Lives on the devices, and arrays of our own."""
        return grouped(state.lives), Reached(*map(np.array, state.reached))

    def state(self, reached: Reached, lives: Any) -> LearningState:
        """As a checkpoint holds it."""
        whole = ungrouped(lives, self.test.lifetimes)
        return LearningState(reached, jax.tree.map(jnp.asarray, whole))

    def advance(
        self, lives: Any, reached: Reached, done: int, count: int
    ) -> tuple[Any, Reached, int, Bool[np.ndarray, " lifetimes"]]:
        """The next `count` stretches; what is left of the last one if that is shorter."""
        test = self.test
        left = (test.length - done) // test.algorithm.workers
        numbers = np.int32(done), np.int32(count)
        if left < test.algorithm.interval:
            advance = partial(_rest, test, left, self.params, numbers[0])
            done = test.length
        else:
            advance = partial(_advance, test, self.params, *numbers)
            done += count * test.stretch
        # A sum goes on in one order, however many stretches a call has: its bits are the same.
        sums = grouped((reached.reward, reached.ends, reached.returns))
        lives, *seen = zip(*on_each(lambda both: advance(*both), list(zip(lives, sums))))
        (reward, ends, returns), finite = ungrouped(list(zip(*seen)), test.lifetimes)
        return lives, Reached(reward, ends, returns, reached.evaluations), done, finite

    def evaluate(self, lives: Any, point: int) -> Float[np.ndarray, "lifetimes episodes"]:
        """Returns without exploration, at that point."""
        evaluate = partial(_evaluate, self.test, self.params, np.int32(EVALUATIONS + point))
        return ungrouped(on_each(evaluate, lives), self.test.lifetimes)

    def check(self, finite: Bool[np.ndarray, " lifetimes"], done: int) -> None:
        """Raises DivergenceError."""
        if finite.all():
            return
        number = int(np.flatnonzero(~finite)[0]) + 1
        raise DivergenceError(
            f"{brief(self.test.algorithm)} diverged in lifetime {number} by step {done:,}: what it "
            "learned is not finite any more. Lower its learning rates, normalise rewards, or look "
            "whether the environment's numbers are very large"
        )


class _HostStretches(_Stretches):
    """The same where environments are on the host: a stretch at a time."""

    def __init__(self, test: LearningTest, params: Params):
        super().__init__(test, params)
        self.params = jax.tree.map(jnp.asarray, self.params)

    def placed(self, state: LearningState) -> tuple[Any, Reached]:
        learner = jax.tree.map(jnp.copy, state.lives.learner)  # which learning donates
        return state.lives._replace(learner=learner), Reached(*map(np.array, state.reached))

    def state(self, reached: Reached, lives: Any) -> LearningState:
        return LearningState(reached, lives)

    def advance(
        self, lives: Any, reached: Reached, done: int, count: int
    ) -> tuple[Any, Reached, int, Bool[np.ndarray, " lifetimes"]]:
        test, finite = self.test, np.ones(self.test.lifetimes, bool)
        for _ in range(count):
            left = (test.length - done) // test.algorithm.workers
            steps = min(left, test.algorithm.interval)
            where = test.algorithm, test.environment, self.params
            lives, rollout, happened = host_learning.collect(*where, lives, steps)
            _add(reached, happened, _bins(test, done, steps))
            done += steps * test.algorithm.workers
            if steps == test.algorithm.interval:
                lives, kept = host_learning.learn(test.algorithm, self.params, lives, rollout, done)
                finite &= np.asarray(kept)
            if not finite.all():
                break
        return lives, reached, done, finite

    def evaluate(self, lives: Any, point: int) -> Float[np.ndarray, "lifetimes episodes"]:
        test = self.test
        keys = _evaluation_keys(lives.lives.key[:: test.algorithm.workers], EVALUATIONS + point)
        where = test.algorithm, test.environment, self.params
        return host_learning.evaluation_returns(*where, lives, keys, test.episodes)


def _add(reached: Reached, happened: Happened, bins: np.ndarray) -> None:
    """What happened in some steps [lifetimes, steps], each in its stretch."""
    for sums, new in zip((reached.reward, reached.ends, reached.returns), happened):
        for step, bin_ in enumerate(bins):
            sums[:, bin_] += new[:, step]


def _bins(test: LearningTest, done: int, steps: int) -> np.ndarray:
    numbers = done + np.arange(steps) * test.algorithm.workers
    return np.searchsorted(test.edges, numbers, side="right") - 1


@partial(jax.jit, static_argnames="lifetimes")
def _keys(key: Any, lifetimes: int) -> Key[Array, " lifetimes"]:
    """Lifetime i follows from (key, i) alone."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(lifetimes))


@jax.jit
def _evaluation_keys(data: Array, number: Int[Array, ""] | int) -> Key[Array, " lifetimes"]:
    def one(data: Array) -> Any:
        return jax.random.fold_in(fast_key(jax.random.wrap_key_data(data)), number)

    return jax.vmap(one)(data)


@partial(jax.jit, static_argnames="test")
def _born(test: LearningTest, params: Params, keys: Key[Array, " lifetimes"]) -> LearningLife:
    return jax.vmap(partial(learning.born, test.algorithm, test.environment, params))(keys)


@partial(jax.jit, static_argnames="test", donate_argnames="lives")
def _advance(
    test: LearningTest,
    params: Params,
    done: Array,
    count: Array,
    lives: LearningLife,
    sums: tuple[Array, ...],
) -> tuple[LearningLife, tuple[Array, ...], Bool[Array, " lives"]]:
    """`count` stretches from step `done`, added to the sums; ended by a learner that diverges."""

    def body(now):
        i, lives, sums, _ = now
        t = done + i * test.stretch
        learn_on = partial(learning.learn_on, test.algorithm, test.environment, params)
        lives, happened, finite = jax.vmap(learn_on, (0, None))(lives, t)
        sums = _added(test, sums, happened, t, test.algorithm.interval)
        return i + 1, lives, sums, finite

    start = jnp.zeros((), jnp.int32), lives, sums, jnp.ones(lives.age.shape, bool)
    return jax.lax.while_loop(lambda now: (now[0] < count) & jnp.all(now[3]), body, start)[1:]


@partial(jax.jit, static_argnames=("test", "steps"), donate_argnames="lives")
def _rest(
    test: LearningTest,
    steps: int,
    params: Params,
    done: Array,
    lives: LearningLife,
    sums: tuple[Array, ...],
) -> tuple[LearningLife, tuple[Array, ...], Bool[Array, " lives"]]:
    """The last steps, after which nothing is learned."""
    collect = partial(learning.collect, test.algorithm, test.environment, params, steps=steps)
    lives, _, happened = jax.vmap(lambda life: collect(life=life))(lives)
    sums = _added(test, sums, happened, done, steps)
    return lives, sums, jnp.ones(lives.age.shape, bool)


def _added(
    test: LearningTest, sums: tuple[Array, ...], happened: Happened, done: Array, steps: int
) -> tuple[Array, ...]:
    workers = test.algorithm.workers
    bins = bins_of(done // workers, steps, test.edges // workers)
    return tuple(old.at[:, bins].add(new) for old, new in zip(sums, happened))


@partial(jax.jit, static_argnames="test")
def _evaluate(
    test: LearningTest, params: Params, number: Array, lives: LearningLife
) -> Float[Array, "lives episodes"]:
    algorithm = test.algorithm
    assert isinstance(algorithm, Greedy)  # `evaluated_at` is empty for others
    returns = partial(learning.evaluation_returns, algorithm, test.environment, params)
    keys = _evaluation_keys(lives.key, number)
    return jax.vmap(lambda life, key: returns(life, key, test.episodes))(lives, keys)


def _check_memory(test: LearningTest, params: Params, keys: Key[Array, " lifetimes"]) -> None:
    spec = spec_of(test.environment)
    state = jax.eval_shape(lambda key: test.algorithm.init_state(params, key, spec), keys[0])
    needed, there = test.lifetimes * size_in_bytes(state), available_memory()
    if there is not None and needed > MEMORY * there:
        buffers = [x for x in jax.tree.leaves(state, is_leaf=is_replay) if is_replay(x)]
        share = sum(map(size_in_bytes, buffers)) * test.lifetimes
        raise SettingError(
            f"{test.lifetimes} lifetimes of {brief(test.algorithm)} need {needed / 1e9:.1f} GB, "
            f"{share / 1e9:.1f} GB of it for replay buffers, and {there / 1e9:.1f} GB are there: "
            "live fewer lifetimes, or give it a smaller capacity (td3,capacity=100000)"
        )
