"""Lifetimes of what learns from rollouts: it acts for a while in environments side by side, learns
from all of it at once, and goes on. `host_learning` does the same where environments are on the
host."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from symla.algorithms.base import Greedy, LearnsFromRollouts
from symla.algorithms.parts.replay import is_replay
from symla.algorithms.step_by_step import step_keys
from symla.core.distributions import is_action
from symla.core.random_numbers import fast_key
from symla.core.trees import all_finite, with_axes_of
from symla.core.types import Params, PRNGKey, Rollout, State, Task
from symla.environments.base import Environment
from symla.lifetimes.percepts import LifetimeKeys, lifetime_keys

WORKERS = 1 << 16  # what the numbers of workers are folded into a key with: no key is used twice


class LearningLife(NamedTuple):
    """A lifetime under way, between two calls of `learn`: it can be stored, and lived on."""

    key: UInt32[Array, "..."]  # the data of its key: everything random in it follows from that
    task: Task
    worlds: State  # [W] of the environments
    observation: Float[Array, "W A"]  # what the algorithm sees next
    learner: State
    age: Int[Array, ""]  # steps lived in each environment
    episode: Int[Array, " W"]  # number of the one under way, from 0
    earned: Float[Array, " W"]  # by the one under way


class Happened(NamedTuple):
    """What is kept of some steps of a lifetime, over all its environments."""

    reward: Float[Array, " steps"]
    ends: Float[Array, " steps"]  # of episodes
    returns: Float[Array, " steps"]  # of the episodes that ended


def born(
    algorithm: LearnsFromRollouts, environment: Environment, params: Params, key: PRNGKey
) -> LearningLife:
    """A lifetime before its first step."""
    own = lifetime_keys(fast_key(key))
    # The first environment has the key of the lifetime itself, on purpose.
    workers = worker_keys(jax.random.clone(key), algorithm.workers)
    task = environment.sample_task(own.task)
    zero = jnp.zeros(algorithm.workers, jnp.int32)
    worlds, observation = jax.vmap(environment.reset, (0, None))(
        jax.vmap(jax.random.fold_in)(workers.episode, zero), task
    )
    learner = algorithm.init_state(params, own.learner, environment.spec)
    earned = jnp.zeros(algorithm.workers)
    age = jnp.zeros((), jnp.int32)
    data = jax.random.key_data(key)
    return LearningLife(data, task, worlds, observation, learner, age, zero, earned)


def keys_side_by_side(key: PRNGKey, workers: int) -> Key[Array, " W"]:
    """Of each environment of a lifetime; the first has the lifetime's own, as if it were alone."""
    others = [jax.random.fold_in(key, WORKERS + number) for number in range(1, workers)]
    return jnp.stack([jax.random.clone(key), *others])


def worker_keys(key: PRNGKey, workers: int) -> LifetimeKeys:
    """What is random in each environment of a lifetime."""
    return jax.vmap(lambda own: lifetime_keys(fast_key(own)))(keys_side_by_side(key, workers))


def learn_on(
    algorithm: LearnsFromRollouts,
    environment: Environment,
    params: Params,
    life: LearningLife,
    t: Int[Array, ""],
) -> tuple[LearningLife, Happened, Bool[Array, ""]]:
    """`interval` more steps in each environment, and what is learned from them, if it is finite.

    `t` are the steps lived before, in all environments together; it is never batched.
    """
    life, rollout, happened = collect(algorithm, environment, params, life, algorithm.interval)
    after = t + algorithm.interval * algorithm.workers
    key = learning_key(jax.random.wrap_key_data(life.key), life.age)
    learner, finite = learned(algorithm, params, life.learner, rollout, after, key)
    return life._replace(learner=learner), happened, finite


def lived_whole(
    algorithm: LearnsFromRollouts,
    environment: Environment,
    params: Params,
    key: PRNGKey,
    stretches: int,
) -> Float[Array, " stretches"]:
    """A whole lifetime of so many stretches, after each of which it learns: what each earned, the
    mean over environments; NaN once the learner is not finite."""

    def stretch(life: LearningLife, number: Array) -> tuple[LearningLife, Array]:
        t = number * algorithm.interval * algorithm.workers
        life, happened, finite = learn_on(algorithm, environment, params, life, t)
        earned = jnp.sum(happened.reward) / algorithm.workers
        return life, jnp.where(finite, earned, jnp.nan)

    life = born(algorithm, environment, params, key)
    return jax.lax.scan(stretch, life, jnp.arange(stretches, dtype=jnp.int32))[1]


def learned(
    algorithm: LearnsFromRollouts,
    params: Params,
    learner: State,
    rollout: Rollout,
    t: Int[Array, ""],
    key: PRNGKey,
) -> tuple[State, Bool[Array, ""]]:
    """`algorithm.learn`, and whether all of it is finite: else the learner, but for its replay
    buffer, stays as it was."""
    new = algorithm.learn(params, learner, rollout, t, key)
    leaves, structure = jax.tree.flatten(new, is_leaf=is_replay)
    old = jax.tree.leaves(learner, is_leaf=is_replay)
    finite = all_finite([x for x in leaves if not is_replay(x)])
    kept = [x if is_replay(x) else jnp.where(finite, x, before) for x, before in zip(leaves, old)]
    return jax.tree.unflatten(structure, kept), finite


def learning_key(key: PRNGKey, age: Int[Array, ""]) -> PRNGKey:
    """Of what is learned at that age in a lifetime of that key: as `StepByStep` draws it."""
    return step_keys(jax.random.fold_in(lifetime_keys(fast_key(key)).action, age))[1]


def collect(
    algorithm: LearnsFromRollouts,
    environment: Environment,
    params: Params,
    life: LearningLife,
    steps: int,
) -> tuple[LearningLife, Rollout, Happened]:
    """So many more steps in each environment, the learner unchanged: the life after them, what was
    seen [steps, W, ...], and what is kept of it."""
    keys = worker_keys(jax.random.wrap_key_data(life.key), algorithm.workers)
    fold = jax.vmap(jax.random.fold_in, (0, None))

    def step(now: LearningLife, _: None) -> tuple[LearningLife, tuple[Rollout, Happened]]:
        act_keys = jax.vmap(lambda key: step_keys(key)[0])(fold(keys.action, now.age))
        act = jax.vmap(algorithm.act, (None, None, 0, 0))
        action, extras = act(params, life.learner, now.observation, act_keys)
        stepped = jax.vmap(environment.step, (0, None, 0, 0))(
            fold(keys.step, now.age), life.task, now.worlds, action
        )
        reward = jnp.where(jax.vmap(is_action)(action), stepped.reward, jnp.nan)
        seen = reward, stepped.terminated, stepped.truncated, stepped.observation
        rollout = Rollout(now.observation, action, *seen, extras)
        done = rollout.done
        episode = now.episode + done.astype(jnp.int32)
        earned = now.earned + reward
        happened = Happened(
            jnp.sum(reward),
            jnp.sum(done, dtype=jnp.float32),
            jnp.sum(jnp.where(done, earned, 0.0)),
        )
        worlds, observation = stepped.state, stepped.observation
        if environment.spec.episode_length is not None:
            fresh = jax.vmap(environment.reset, (0, None))(
                jax.vmap(jax.random.fold_in)(keys.episode, now.episode + 1), life.task
            )
            worlds, observation = jax.tree.map(
                lambda new, old: jnp.where(with_axes_of(new, done), new, old),
                fresh,
                (worlds, observation),
            )
        after = now._replace(
            worlds=worlds,
            observation=observation,
            age=now.age + 1,
            episode=episode,
            earned=jnp.where(done, 0.0, earned),
        )
        return after, (rollout, happened)

    # The learner stays outside: what is carried from step to step is small.
    end, (rollout, happened) = jax.lax.scan(step, life._replace(learner=()), length=steps)
    return end._replace(learner=life.learner), rollout, happened


def evaluation_returns(
    algorithm: Greedy,
    environment: Environment,
    params: Params,
    life: LearningLife,
    key: PRNGKey,
    episodes: int,
) -> Float[Array, " episodes"]:
    """What the learner, as it is, earns without exploring in episodes of its task, one by one.

    An environment whose episodes never end has none: its spec must have an episode_length.
    """
    length = environment.spec.episode_length
    assert length is not None

    def episode(key: PRNGKey) -> Float[Array, ""]:
        reset_key, steps_key = jax.random.split(key)
        world, observation = environment.reset(reset_key, life.task)

        def step(now: tuple[Any, ...]) -> tuple[Any, ...]:
            world, observation, earned, t, _ = now
            action = algorithm.greedy(params, life.learner, observation)
            stepped = environment.step(jax.random.fold_in(steps_key, t), life.task, world, action)
            earned = earned + jnp.where(is_action(action), stepped.reward, jnp.nan)
            done = stepped.terminated | stepped.truncated
            return stepped.state, stepped.observation, earned, t + 1, done

        start = world, observation, jnp.zeros(()), jnp.zeros((), jnp.int32), jnp.zeros((), bool)
        end = jax.lax.while_loop(lambda now: ~now[4] & (now[3] < length), step, start)
        return end[2]

    return jax.vmap(episode)(jax.random.split(fast_key(key), episodes))


def bins_of(first: int | Array, steps: int, edges: Int[np.ndarray, " edges"]) -> Array:
    """The stretch, of those between the edges, in which each of `steps` steps from `first` is."""
    numbers = jnp.asarray(first, jnp.int32) + jnp.arange(steps, dtype=jnp.int32)
    return jnp.searchsorted(jnp.asarray(edges), numbers, side="right") - 1
