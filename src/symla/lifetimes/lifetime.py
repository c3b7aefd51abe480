"""The inner loop: one learning algorithm lives one lifetime in one environment.

The only place that resets episodes. The same scan serves every algorithm and environment.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from symla.algorithms.base import LearningAlgorithm
from symla.core.distributions import is_action
from symla.core.errors import require
from symla.core.random_numbers import fast_key
from symla.core.types import Params, Percept, PRNGKey, State, Task, Transition
from symla.environments.base import Environment
from symla.lifetimes.percepts import LifetimeKeys, lifetime_keys, new_percept, next_percept


class Life(NamedTuple):
    """A lifetime under way: it can be stored, and lived on."""

    key: UInt32[Array, "..."]  # the data of its key: everything random in it follows from that
    task: Task
    world: State  # of the environment
    learner: State  # of the learning algorithm
    percept: Percept  # what the algorithm sees next
    age: Int[Array, ""]  # steps lived
    episode: Int[Array, ""]  # number of the one under way, from 0


class _Carry(NamedTuple):
    """What goes from step to step."""

    world: State
    learner: State
    percept: Percept
    total: Float[Array, ""]  # rewards so far
    age: Int[Array, ""]
    clock: Int[Array, ""]  # never batched
    episode: Int[Array, ""]


Record = Callable[[Transition, Task, State, State], Any]
"""A function of the transition, the task, the algorithm's state and the environment's state."""


def whole_transition(
    transition: Transition, task: Task, learner: State, world: State
) -> Transition:
    """The default record of a step."""
    return transition


def lifetime(
    algorithm: LearningAlgorithm,
    environment: Environment,
    params: Params,
    key: PRNGKey,
    length: int,
    *,
    record: Record | None = whole_transition,
    bins: int | None = None,
) -> tuple[Float[Array, ""], Task, Any]:
    """Live `length` steps. Returns the sum of rewards, the task, and what was recorded.

    `record` says what is kept of each step: a function of the transition, the task, the learner's
    state and the environment's, as the action left it; None: nothing. Its results are stacked on
    a leading axis of `length`; with `bins` they are summed over each of so many stretches of the
    lifetime (`bin_edges`) instead, booleans counted, and memory is flat in `length`.

    Everything random follows from `key`: lifetimes with one key share their task and all their
    noise, whatever their meta-parameters; episode n of a lifetime starts from `fold_in(key of its
    episodes, n)`. An action that could not be sampled, because the policy is not finite, earns NaN.
    """
    keys = lifetime_keys(fast_key(key))
    life = _born(algorithm, environment, params, key, keys)
    arguments = algorithm, environment, params, life, keys, life.age, length
    _, total, recorded = _live(*arguments, record, bins)
    return total, life.task, recorded


def born(
    algorithm: LearningAlgorithm, environment: Environment, params: Params, key: PRNGKey
) -> Life:
    """A lifetime before its first step: its task, its first episode, a learner without memory."""
    return _born(algorithm, environment, params, key, lifetime_keys(fast_key(key)))


def _born(
    algorithm: LearningAlgorithm,
    environment: Environment,
    params: Params,
    key: PRNGKey,
    keys: LifetimeKeys,
) -> Life:
    task = environment.sample_task(keys.task)
    episode = jnp.zeros((), jnp.int32)
    world, observation = environment.reset(jax.random.fold_in(keys.episode, episode), task)
    learner = algorithm.init_state(params, keys.learner, environment.spec)
    percept = new_percept(observation, environment.spec)
    data = jax.random.key_data(key)
    return Life(data, task, world, learner, percept, jnp.zeros((), jnp.int32), episode)


def live_on(
    algorithm: LearningAlgorithm,
    environment: Environment,
    params: Params,
    life: Life,
    steps: int,
    *,
    clock: Int[Array, ""],
    record: Record | None = whole_transition,
) -> tuple[Life, Float[Array, ""], Any]:
    """`steps` more steps. Returns the life after them, the sum of their rewards, and what was
    recorded of them, as `lifetime` has it.

    What is random at a step follows from the life's key and age. Lives of different ages have one
    `clock`: the algorithm's `t`, which is never batched, counts from it.
    """
    keys = lifetime_keys(fast_key(jax.random.wrap_key_data(life.key)))
    return _live(algorithm, environment, params, life, keys, clock, steps, record, None)


def _live(
    algorithm: LearningAlgorithm,
    environment: Environment,
    params: Params,
    life: Life,
    keys: LifetimeKeys,
    clock: Int[Array, ""],
    steps: int,
    record: Record | None,
    bins: int | None,
) -> tuple[Life, Float[Array, ""], Any]:
    spec, task = environment.spec, life.task
    start = _Carry(
        life.world, life.learner, life.percept, jnp.zeros(()), life.age, clock, life.episode
    )

    def step(now: _Carry) -> tuple[_Carry, Any]:
        t = now.age  # carried, because a scanned-over range would cost memory
        action, learner = algorithm.step(
            params, now.learner, now.percept, now.clock, jax.random.fold_in(keys.action, t)
        )
        timestep = environment.step(jax.random.fold_in(keys.step, t), task, now.world, action)
        reward = jnp.where(is_action(action), timestep.reward, jnp.nan)
        terminated, truncated = jnp.asarray(timestep.terminated), jnp.asarray(timestep.truncated)
        done = terminated | truncated
        world, observation, episode = timestep.state, timestep.observation, now.episode
        if spec.episode_length is not None:
            episode = episode + done.astype(jnp.int32)
            fresh = environment.reset(jax.random.fold_in(keys.episode, now.episode + 1), task)
            world, observation = jax.tree.map(
                lambda new, old: jnp.where(done, new, old), fresh, (world, observation)
            )
        seen = action, reward, terminated, truncated, timestep.observation
        percept = next_percept(observation, *seen, spec)
        after = _Carry(world, learner, percept, now.total + reward, t + 1, now.clock + 1, episode)
        transition = Transition(action, reward, terminated, truncated)
        return after, record(transition, task, learner, timestep.state) if record else None

    if bins is None:
        end, recorded = jax.lax.scan(lambda now, _: step(now), start, length=steps)
    else:
        end, recorded = _scan_bins(step, start, bin_edges(steps, bins))
    after = life._replace(
        world=end.world, learner=end.learner, percept=end.percept, age=end.age, episode=end.episode
    )
    return after, end.total, recorded


def check_length(length: int) -> None:
    """Raises SettingError outside the range of what counts steps."""
    require(length >= 1, f"length must be at least 1 step, got {length}")
    require(length < 2**31, f"length must be below 2^31 steps, got {length}")


def check_lifetimes(lifetimes: int) -> None:
    """Raises SettingError outside the range of how many there can be."""
    require(lifetimes >= 1, f"lifetimes must be at least 1, got {lifetimes}")
    require(lifetimes < 2**31, f"lifetimes must be below 2^31, got {lifetimes}")


def bin_edges(length: int, bins: int) -> Int[np.ndarray, " edges"]:
    """Where stretches of a lifetime begin, and its end: `bins` of as equal a length as can be."""
    return (np.arange(bins + 1, dtype=np.int64) * length // bins).astype(np.int32)


def _scan_bins(
    step: Callable[[_Carry], tuple[_Carry, Any]], start: _Carry, edges: Int[np.ndarray, " edges"]
) -> tuple[_Carry, Any]:
    """All steps; what they record summed over each bin, booleans counted, and stacked over bins."""

    def count(x: Array) -> Array:
        return x.astype(jnp.int32) if x.dtype == bool else x

    def counted(now: _Carry) -> tuple[_Carry, Any]:
        now, recorded = step(now)
        return now, jax.tree.map(count, recorded)

    shapes = jax.eval_shape(counted, start)[1]
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def one_bin(now: _Carry, ends: tuple[Array, Array]) -> tuple[_Carry, Any]:
        def body(_: Array, carry: tuple[_Carry, Any]) -> tuple[_Carry, Any]:
            now, sums = carry
            now, recorded = counted(now)
            return now, jax.tree.map(jnp.add, sums, recorded)

        return jax.lax.fori_loop(*ends, body, (now, zeros))

    return jax.lax.scan(one_bin, start, (jnp.asarray(edges[:-1]), jnp.asarray(edges[1:])))
