"""Lifetimes of what learns from rollouts, in environments on the host: `learning` for Gymnasium.

All environments of all lifetimes act in one compiled call a step; then all learn in another one.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from symla.algorithms.base import Greedy, LearnsFromRollouts
from symla.algorithms.step_by_step import step_keys
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.pool import open_pool
from symla.core.distributions import are_actions
from symla.core.random_numbers import fast_key
from symla.core.trees import with_axes_of
from symla.core.types import Params, PRNGKey, Rollout, State
from symla.lifetimes.host import Acting, episode_seeds, spec_of
from symla.lifetimes.host_lives import HostLives, born_with, keys_of, live_with
from symla.lifetimes.learning import Happened, keys_side_by_side, learned, learning_key
from symla.lifetimes.percepts import LastStep, lifetime_keys

EVALUATION = "evaluation"  # the use of the pools in which nothing is learned
LONGEST = 10_000  # steps of an episode of evaluation where the environment has no limit of its own


class HostLearning(NamedTuple):
    """Lifetimes under way, on a leading axis: what `LearningLife` is where worlds are in JAX."""

    learner: State  # [lives, ...]
    lives: (
        HostLives  # of all environments of the first lifetime, then those of the next; no learner
    )
    earned: Float[np.ndarray | Array, " environments"]  # by the episodes under way


def born(
    algorithm: LearnsFromRollouts,
    environment: GymnasiumEnvironment,
    params: Params,
    keys: Key[Array, " lives"],
    length: int,
) -> HostLearning:
    """Lifetimes of at most `length` steps in each environment, before the first one."""
    learner = _init(algorithm, spec_of(environment), params, keys)
    workers = _worker_keys(keys, algorithm.workers).reshape(-1)
    lives = born_with((), environment, workers, length)
    return HostLearning(learner, lives, np.zeros(len(workers), np.float32))


def collect(
    algorithm: LearnsFromRollouts,
    environment: GymnasiumEnvironment,
    params: Params,
    learning: HostLearning,
    steps: int,
) -> tuple[HostLearning, Rollout, Happened]:
    """So many more steps in each environment, the learners unchanged: lifetimes after them, what
    was seen [lives, steps, W, ...], and what is kept of it [lives, steps].

    Raises FaultyEnvironmentError, and DivergenceError if no action can be sampled.
    """
    workers = algorithm.workers
    count = len(learning.lives.age) // workers
    keys = keys_of(learning.lives)
    extras: list[Any] = []
    by_life = partial(jax.tree.map, lambda x: x.reshape(count, workers, *x.shape[1:]))
    acting = _acting(algorithm, params, learning.learner, by_life(keys.action), extras)
    lives, seen = live_with(acting, environment, learning.lives, keys, steps, 0, tolerant=False)
    learning, happened = _noted(learning._replace(lives=lives), seen, workers)
    before = jax.tree.map(lambda x: x[:-1], seen)
    after = jax.tree.map(lambda x: x[1:], seen)
    kept = jax.tree.map(lambda *rows: np.stack(rows), *jax.device_get(extras))
    by_step = Rollout(
        before.observation,
        *(after.action, after.reward, after.terminated, after.truncated, after.final_observation),
    )
    rollout = jax.tree.map(
        lambda x: x.reshape(steps, count, workers, *x.shape[2:]).swapaxes(0, 1), by_step
    )
    kept = jax.tree.map(lambda x: x.swapaxes(0, 1), kept)
    return learning, rollout._replace(extras=kept), happened


def learn(
    algorithm: LearnsFromRollouts,
    params: Params,
    learning: HostLearning,
    rollout: Rollout,
    t: int,
) -> tuple[HostLearning, Bool[Array, " lives"]]:
    """Lifetimes with what learners make of the rollout, after `t` steps in all environments of a
    lifetime, as `learned` has it. The learners are donated."""
    first = learning.lives.key[:: algorithm.workers]
    age = np.int32(learning.lives.age[0])
    learner, finite = _learn(algorithm, params, learning.learner, rollout, np.int32(t), first, age)
    return learning._replace(learner=learner), finite


def evaluation_returns(
    algorithm: LearnsFromRollouts,
    environment: GymnasiumEnvironment,
    params: Params,
    learning: HostLearning,
    keys: Key[Array, " lives"],
    episodes: int,
) -> Float[np.ndarray, "lives episodes"]:
    """What each learner, as it is, earns without exploring in so many episodes; those that have no
    limit of their own end after LONGEST steps."""
    count = len(keys)
    seeds = np.asarray(_evaluation_seeds(keys, episodes)).reshape(-1)
    returns = np.zeros(count * episodes, np.float32)
    running = np.ones(count * episodes, bool)
    with open_pool(environment, seeds.tolist(), 0, EVALUATION) as pool:
        observation = pool.reset()
        for _ in range(spec_of(environment).episode_length or LONGEST):
            by_life = observation.reshape(count, episodes, -1)
            action = np.asarray(_greedy(algorithm, params, learning.learner, by_life))
            action = action.reshape(count * episodes, *action.shape[2:])
            valid = are_actions(action)
            safe = np.where(with_axes_of(action, valid), action, np.zeros_like(action))
            answer = pool.step(safe, seeds)
            reward = np.where(valid, answer.reward, np.float32(np.nan))
            returns += np.where(running, reward, np.float32(0))
            running &= ~(answer.terminated | answer.truncated)
            observation = answer.observation
            if not running.any():
                break
    return returns.reshape(count, episodes)


def _acting(
    algorithm: LearnsFromRollouts,
    params: Params,
    learner: State,
    keys: Key[Array, "lives W"],
    extras: list[Any],
) -> Acting:
    """How all environments act; what `learn` is to see again is added to `extras`."""
    count, workers = keys.shape

    def acting(
        nothing: State, last: LastStep, clock: np.int32, ages: Int[np.ndarray, " environments"]
    ) -> tuple[np.ndarray, State]:
        observation = last.observation.reshape(count, workers, -1)
        own = ages.reshape(count, workers)[:, 0]
        acted, extra = _act(algorithm, params, learner, observation, own, keys)
        extras.append(extra)
        action = np.asarray(acted)
        return action.reshape(count * workers, *action.shape[2:]), nothing

    return acting


def _noted(learning: HostLearning, seen: LastStep, workers: int) -> tuple[HostLearning, Happened]:
    """What is kept of all steps after the first of `seen`, and lifetimes with what is earned."""
    earned = np.array(learning.earned)
    returns = np.zeros_like(seen.reward[1:])
    done = seen.terminated[1:] | seen.truncated[1:]
    for t, reward in enumerate(seen.reward[1:]):
        earned += reward
        returns[t] = np.where(done[t], earned, 0.0)
        earned[done[t]] = 0.0

    def of_lives(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), -1, workers).sum(axis=2, dtype=np.float32).T

    sums: Any = map(of_lives, (seen.reward[1:], done, returns))
    happened = Happened(*sums)
    return learning._replace(earned=earned), happened


@partial(jax.jit, static_argnames=("algorithm", "spec"))
def _init(
    algorithm: LearnsFromRollouts, spec: Any, params: Params, keys: Key[Array, " lives"]
) -> State:
    def one(key: PRNGKey) -> State:
        return algorithm.init_state(params, lifetime_keys(key).learner, spec)

    return jax.vmap(one)(keys)


@partial(jax.jit, static_argnames="workers")
def _worker_keys(keys: Key[Array, " lives"], workers: int) -> Key[Array, "lives W"]:
    return jax.vmap(lambda key: keys_side_by_side(key, workers))(keys)


@partial(jax.jit, static_argnames="algorithm")
def _act(
    algorithm: LearnsFromRollouts,
    params: Params,
    learner: State,
    observation: Float[Array, "lives W A"],
    ages: Any,  # int32[lives], numpy's too
    keys: Key[Array, "lives W"],
) -> tuple[Array, Any]:
    def one(
        learner: State, observation: Array, age: Array, keys: Key[Array, " W"]
    ) -> tuple[Array, Any]:
        own = jax.vmap(lambda key: step_keys(jax.random.fold_in(fast_key(key), age))[0])(keys)
        act = jax.vmap(algorithm.act, (None, None, 0, 0))
        return act(params, learner, observation, own)

    return jax.vmap(one)(learner, observation, ages, keys)


@partial(jax.jit, static_argnames="algorithm", donate_argnames="learner")
def _learn(
    algorithm: LearnsFromRollouts,
    params: Params,
    learner: State,
    rollout: Rollout,
    t: Int[Array, ""],
    keys: Array,
    age: Int[Array, ""],
) -> tuple[State, Bool[Array, " lives"]]:
    def one(learner: State, rollout: Rollout, data: Array) -> tuple[State, Bool[Array, ""]]:
        key = learning_key(jax.random.wrap_key_data(data), age)
        return learned(algorithm, params, learner, rollout, t, key)

    return jax.vmap(one)(learner, rollout, keys)


@partial(jax.jit, static_argnames="algorithm")
def _greedy(
    algorithm: Greedy, params: Params, learner: State, observation: Float[Array, "lives E A"]
) -> Array:
    def one(learner: State, observation: Array) -> Array:
        return jax.vmap(partial(algorithm.greedy, params, learner))(observation)

    return jax.vmap(one)(learner, observation)


@partial(jax.jit, static_argnames="episodes")
def _evaluation_seeds(keys: Key[Array, " lives"], episodes: int) -> Int[Array, "lives E"]:
    numbers = jnp.arange(episodes, dtype=jnp.int32)
    return jax.vmap(lambda key: episode_seeds(jnp.broadcast_to(key, (episodes,)), numbers))(keys)
