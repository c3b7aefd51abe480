"""A test of what learns from rollouts: long lifetimes, a stretch at a time, that can be stored.

`lifetime_sums` lives lifetimes in one piece; these may take hours. Between two stretches the host
sees what was reached, saves it, and asks for returns without exploration.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from symla.algorithms.base import Greedy, LearnsFromRollouts
from symla.algorithms.parts.replay import Replay
from symla.bridge.pool import keep_pools
from symla.core.errors import DivergenceError, SettingError, require
from symla.core.precision import in_float32
from symla.core.random_numbers import fast_key
from symla.core.streams import Stream, stream_key
from symla.core.text import brief
from symla.core.trees import size_in_bytes
from symla.core.types import Params
from symla.evaluation.evaluation import BINS, Evaluation, Returns, Sums, evaluation, joined
from symla.evaluation.statistics import estimate
from symla.lifetimes import host_learning, learning
from symla.lifetimes.host import is_on_host, spec_of
from symla.lifetimes.host_learning import HostLearning
from symla.lifetimes.learning import Happened, LearningLife, bins_of
from symla.lifetimes.lifetime import bin_edges
from symla.runtime.devices import on_own_devices, placed, use_devices
from symla.runtime.machine import available_memory

EVALUATIONS = 1 << 20  # what the numbers of evaluations are folded into a lifetime's key with
SECONDS = 1.0  # between two looks at what is lived
MEMORY = 0.8  # of what is available: the largest share that states may take


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
        require(self.lifetimes >= 1, f"lifetimes must be at least 1, got {self.lifetimes}")
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


Watch = Callable[[int, Reached, Callable[[], LearningState]], bool | None]
"""Called between stretches, with the steps done, what was reached, and the state if it is wanted;
what is true ends the test early."""


def learning_test(
    algorithm: Any, environment: Any, lifetimes: int, length: int, evaluate_every: int | None
) -> LearningTest:
    """A test with the usual times of evaluation, and with a replay buffer no larger than a lifetime
    can fill, in which the same is learned. Raises SettingError outside ranges."""
    capacity = getattr(algorithm, "capacity", 0)
    if capacity > length >= algorithm.interval:
        algorithm = replace(algorithm, capacity=length)
    every = max(1, length // 10) if evaluate_every is None else evaluate_every
    return LearningTest(algorithm, environment, lifetimes, length, every)


@in_float32
def begin(test: LearningTest, params: Params, seed: int, stream: Stream) -> LearningState:
    """Before the first step. Raises SettingError if the states do not fit in memory."""
    keys = _keys(stream_key(seed, stream), test.lifetimes)
    _check_memory(test, params, keys)
    if is_on_host(test.environment):
        steps = test.length // test.algorithm.workers
        lives = host_learning.born(test.algorithm, test.environment, params, keys, steps)
    else:
        lives = _born(test, params, keys)
    bins = test.edges.size - 1
    none = np.zeros((test.lifetimes, bins), np.float32)
    points = test.lifetimes, len(test.evaluated_at), test.episodes
    return LearningState(Reached(none, none, none, np.full(points, np.nan, np.float32)), lives)


@in_float32
def live(
    test: LearningTest, params: Params, state: LearningState, done: int, watch: Watch
) -> tuple[LearningState, int]:
    """From step `done` to the end, or until `watch` returns true: it is called about once a
    second. Returns where lifetimes are then, and how many steps of each are done.

    Raises DivergenceError for learners that are not finite any more, with what `watch` saw last
    unchanged, and FaultyEnvironmentError.
    """
    advance = _HostStretches if is_on_host(test.environment) else _Stretches
    with ExitStack() as stack:
        stack.enter_context(keep_pools())
        if not is_on_host(test.environment):
            stack.enter_context(use_devices(jax.devices()[: test.lifetimes]))
        return advance(test, params).live(state, done, watch)


@in_float32
def learned(
    test: LearningTest, params: Params, seed: int, stream: Stream, watch: Watch | None = None
) -> Reached:
    """All of it, in one go. Raises what `begin` and `live` do."""
    state = begin(test, params, seed, stream)
    state, _ = live(test, params, state, 0, watch or (lambda *_: None))
    return state.reached


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


def _returns(test: LearningTest, reached: Sequence[Reached]) -> Returns:
    ends, sums, evaluations = (
        np.concatenate([getattr(each, name) for each in reached])
        for name in ("ends", "returns", "evaluations")
    )
    means = [
        estimate(own[some > 0] / some[some > 0]) if some.any() else None
        for own, some in zip(sums.T.astype(np.float64), ends.T)
    ]
    points = evaluations.mean(axis=2, dtype=np.float64)
    return Returns(
        training=tuple(means),
        evaluated_at=test.evaluated_at,
        evaluation=tuple(map(estimate, points.T)),
        final=tuple(points[:, -1].tolist()) if test.evaluated_at else (),
    )


class _Stretches:
    """Lifetimes where environments are in JAX: some stretches in one compiled call."""

    def __init__(self, test: LearningTest, params: Params):
        self.test, self.params = test, params
        self.count = 1  # stretches in a call

    def live(self, state: LearningState, done: int, watch: Watch) -> tuple[LearningState, int]:
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
            self.count = max(1, min(2 * self.count, int(SECONDS / max(pace, 1e-6))))
            if watch(done, reached, partial(self.state, reached, lives)):
                break
        return self.state(reached, lives), done

    def placed(self, state: LearningState) -> tuple[Any, Reached]:
        """Lives on the devices, each lifetime on one of them, padded to a multiple of these."""
        reached = Reached(*map(np.array, state.reached))
        missing = -self.test.lifetimes % min(len(jax.devices()), self.test.lifetimes)
        padded = jax.tree.map(lambda x: jnp.concatenate([x, *[x[-1:]] * missing]), state.lives)
        return placed(padded), reached

    def state(self, reached: Reached, lives: Any) -> LearningState:
        """Without what pads it."""
        count = self.test.lifetimes
        if jax.tree.leaves(lives)[0].shape[0] > count:
            lives = jax.tree.map(lambda x: x[:count], lives)
        return LearningState(reached, lives)

    def advance(
        self, lives: Any, reached: Reached, done: int, count: int
    ) -> tuple[Any, Reached, int, Bool[np.ndarray, " lifetimes"]]:
        """The next `count` stretches; what is left of the last one if that is shorter."""
        test = self.test
        left = (test.length - done) // test.algorithm.workers
        numbers = np.int32(done), np.int32(count)
        if left < test.algorithm.interval:
            lives, sums = _rest(test, left, lives, self.params, numbers[0])
            done, finite = test.length, np.ones(test.lifetimes, bool)
        else:
            lives, sums, finite = _advance(test, lives, self.params, *numbers)
            done += count * test.stretch
        n = test.lifetimes
        for old, new in zip(reached, sums):
            old += np.asarray(new)[:n]
        return lives, reached, done, np.asarray(finite)[:n]

    def evaluate(self, lives: Any, point: int) -> Float[np.ndarray, "lifetimes episodes"]:
        """Returns without exploration, at that point."""
        returns = _evaluate(self.test, lives, self.params, np.int32(EVALUATIONS + point))
        return np.asarray(returns)[: self.test.lifetimes]

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
    test: LearningTest, lives: LearningLife, params: Params, done: Array, count: Array
) -> tuple[LearningLife, tuple[Array, ...], Bool[Array, " lives"]]:
    """`count` stretches from step `done`, over all devices; ended by a learner that diverges."""

    def run(lives: LearningLife, params: Params, done: Array, count: Array):
        edges, many = test.edges, lives.age.shape[0]
        none = jnp.zeros((many, edges.size - 1))

        def body(now):
            i, lives, sums, _ = now
            t = done + i * test.stretch
            learn_on = partial(learning.learn_on, test.algorithm, test.environment, params)
            lives, happened, finite = jax.vmap(learn_on, (0, None))(lives, t)
            sums = _added(test, sums, happened, t, test.algorithm.interval)
            return i + 1, lives, sums, finite

        start = jnp.zeros((), jnp.int32), lives, (none,) * 3, jnp.ones(many, bool)
        end = jax.lax.while_loop(lambda now: (now[0] < count) & jnp.all(now[3]), body, start)
        return end[1:]

    return on_own_devices(run)(lives, params, done, count)


@partial(jax.jit, static_argnames=("test", "steps"), donate_argnames="lives")
def _rest(
    test: LearningTest, steps: int, lives: LearningLife, params: Params, done: Array
) -> tuple[LearningLife, tuple[Array, ...]]:
    """The last steps, after which nothing is learned."""

    def run(lives: LearningLife, params: Params, done: Array):
        none = jnp.zeros((lives.age.shape[0], test.edges.size - 1))
        arguments = test.algorithm, test.environment, params
        collect = partial(learning.collect, *arguments, steps=steps)
        lives, _, happened = jax.vmap(lambda life: collect(life=life))(lives)
        return lives, _added(test, (none,) * 3, happened, done, steps)

    return on_own_devices(run)(lives, params, done)


def _added(
    test: LearningTest, sums: tuple[Array, ...], happened: Happened, done: Array, steps: int
) -> tuple[Array, ...]:
    workers = test.algorithm.workers
    bins = bins_of(done // workers, steps, test.edges // workers)
    return tuple(old.at[:, bins].add(new) for old, new in zip(sums, happened))


@partial(jax.jit, static_argnames="test")
def _evaluate(
    test: LearningTest, lives: LearningLife, params: Params, number: Array
) -> Float[Array, "lives episodes"]:
    algorithm = test.algorithm
    assert isinstance(algorithm, Greedy)  # `evaluated_at` is empty for others

    def run(lives: LearningLife, params: Params, number: Array):
        keys = _evaluation_keys(lives.key, number)
        returns = partial(learning.evaluation_returns, algorithm, test.environment, params)
        return jax.vmap(lambda life, key: returns(life, key, test.episodes))(lives, keys)

    return on_own_devices(run)(lives, params, number)


def _check_memory(test: LearningTest, params: Params, keys: Key[Array, " lifetimes"]) -> None:
    spec = spec_of(test.environment)
    state = jax.eval_shape(lambda key: test.algorithm.init_state(params, key, spec), keys[0])
    needed, there = test.lifetimes * size_in_bytes(state), available_memory()
    if there is not None and needed > MEMORY * there:
        buffers = [x for x in jax.tree.leaves(state, is_leaf=_is_replay) if _is_replay(x)]
        share = sum(map(size_in_bytes, buffers)) * test.lifetimes
        raise SettingError(
            f"{test.lifetimes} lifetimes of {brief(test.algorithm)} need {needed / 1e9:.1f} GB, "
            f"{share / 1e9:.1f} GB of it for replay buffers, and {there / 1e9:.1f} GB are there: "
            "live fewer lifetimes, or give it a smaller capacity (td3,capacity=100000)"
        )


def _is_replay(part: Any) -> bool:
    return isinstance(part, Replay)
