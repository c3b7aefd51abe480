"""Lifetimes of what learns from rollouts: the same step by step and a stretch at a time, in JAX and
on the host; what rollouts hold; evaluation."""

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.step_by_step import StepByStep, in_one_environment
from symla.bridge.pool import keep_pools
from symla.lifetimes import host_learning, learning
from symla.lifetimes.host import host_lifetimes
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.resolve import make
from tests.probes.environments import Contextual, Corridor

STEPS = 24
WORLD = Contextual(episode_length=4)
KEY = jax.random.key(3)


class Sum(NamedTuple):
    """Of all rewards, and how often it was learned from."""

    reward: jax.Array
    times: jax.Array
    t: jax.Array


@dataclass(frozen=True)
class Sums:
    """Acts by what it observes and has summed, with noise; learns the sum of rewards."""

    interval: int = 3
    workers: int = 1

    def init_params(self, key, spec):
        return ()

    def init_state(self, params, key, spec):
        zero = jnp.zeros((), jnp.int32)
        return Sum(jax.random.normal(key), zero, zero)

    def act(self, params, state, observation, key):
        noisy = jnp.sin(7.0 * (observation[0] + state.reward)) + jax.random.normal(key)
        return (noisy > 0).astype(jnp.int32), noisy

    def learn(self, params, state, rollout, t, key):
        assert rollout.reward.shape == (self.interval, self.workers)
        noise = jax.random.normal(key)
        reward = state.reward + jnp.sum(rollout.reward) + 0.1 * noise
        seen = jnp.sum(rollout.extras) * 0.01 + jnp.sum(rollout.done, dtype=jnp.float32)
        return Sum(reward + seen, state.times + 1, t)

    def greedy(self, params, state, observation):
        return (observation[0] > 0).astype(jnp.int32)


def stretches(algorithm, world, count, key=KEY):
    """Rollouts of so many stretches [steps, W], what is kept of them, and the life after them."""

    @jax.jit
    def run(key):
        life = learning.born(algorithm, world, (), key)
        seen = []
        for number in range(count):
            life, rollout, happened = learning.collect(
                algorithm, world, (), life, algorithm.interval
            )
            t = jnp.int32((number + 1) * algorithm.interval * algorithm.workers)
            own = learning.learning_key(jax.random.wrap_key_data(life.key), life.age)
            learner, _ = learning.learned(algorithm, (), life.learner, rollout, t, own)
            life = life._replace(learner=learner)
            seen.append((rollout, happened))
        return life, jax.tree.map(lambda *x: jnp.concatenate(x), *seen)

    return run(key)


def test_step_by_step_is_the_same_lifetime():
    life, (rollout, _) = stretches(Sums(), WORLD, 8)
    _, _, alone = lifetime(StepByStep(Sums()), WORLD, (), KEY, STEPS)
    for name in ("action", "reward", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(rollout, name)[:, 0], getattr(alone, name))
    assert life.learner.times == 8
    assert life.learner.t == STEPS


def test_a_rollout_shows_what_every_action_led_to():
    """Also the last one of an episode: the next rows begin with another observation."""
    _, (rollout, happened) = stretches(Sums(), WORLD, 8)
    done = np.asarray(rollout.done[:, 0])
    np.testing.assert_array_equal(done, np.arange(1, STEPS + 1) % 4 == 0)
    led_to, observed = np.asarray(rollout.next_observation), np.asarray(rollout.observation)
    goes_on = ~done[:-1]
    np.testing.assert_array_equal(led_to[:-1][goes_on], observed[1:][goes_on])
    assert (led_to[:-1][~goes_on] != observed[1:][~goes_on]).all()
    by_episode = np.asarray(rollout.reward[:, 0]).reshape(-1, 4).sum(axis=1)
    np.testing.assert_allclose(happened.returns[3::4], by_episode, rtol=1e-6)
    np.testing.assert_array_equal(happened.ends, done)


def test_workers_live_side_by_side_in_one_task():
    """The first of them as if it were alone, until they learn; all of it is learned from."""
    life, (rollout, happened) = stretches(Sums(workers=3), WORLD, 1)
    alone, (first, _) = stretches(Sums(), WORLD, 1)
    np.testing.assert_array_equal(rollout.reward[:, 0], first.reward[:, 0])
    assert len(np.unique(rollout.observation[..., 0])) == 9
    np.testing.assert_allclose(happened.reward, rollout.reward.sum(axis=1), rtol=1e-6)
    assert life.learner.t == 9
    np.testing.assert_array_equal(life.task, alone.task)


def test_alone_it_learns_as_often_from_as_many_steps():
    assert in_one_environment(Sums(interval=4, workers=5)) == Sums(interval=20)


def test_on_the_host_it_is_the_same_step_by_step_and_in_stretches():
    world = make("gymnasium:CartPole-v1")
    keys = jax.random.split(KEY, 2)
    whole = list(host_lifetimes(StepByStep(Sums()), world, (), keys, 9))
    with keep_pools():
        state = host_learning.born(Sums(), world, (), keys, 9)
        rewards = []
        for t in (3, 6, 9):
            state, rollout, _ = host_learning.collect(Sums(), world, (), state, 3)
            state, finite = host_learning.learn(Sums(), (), state, rollout, t)
            rewards.append(rollout.action[:, :, 0])
            assert np.asarray(finite).all()
    actions = np.concatenate(rewards, axis=1).T
    np.testing.assert_array_equal(actions, [step.action for step in whole])


def test_what_is_not_finite_is_not_learned():
    """The learner stays as it was, and it is said."""

    @dataclass(frozen=True)
    class Bad(Sums):
        def learn(self, params, state, rollout, t, key):
            return super().learn(params, state, rollout, t, key)._replace(reward=jnp.float32("nan"))

    life = learning.born(Bad(), WORLD, (), KEY)
    step = partial(learning.learn_on, Bad(), WORLD, ())
    after, _, finite = jax.jit(step)(life, jnp.int32(0))
    assert not finite
    assert after.learner.reward == life.learner.reward


@pytest.mark.parametrize("cells", [3, 5])
def test_evaluation_is_without_exploration(cells):
    @dataclass(frozen=True)
    class Right(Sums):
        def greedy(self, params, state, observation):
            return jnp.int32(1)

    world = Corridor(cells)
    life = learning.born(Right(), world, (), KEY)
    returns = jax.jit(lambda life: learning.evaluation_returns(Right(), world, (), life, KEY, 4))
    np.testing.assert_array_equal(returns(life), np.ones(4))


def test_evaluation_on_the_host_is_that_of_gymnasium():
    world, env = make("gymnasium:CartPole-v1"), gymnasium.make("CartPole-v1")
    keys = jax.random.split(KEY, 2)
    with keep_pools():
        state = host_learning.born(Sums(), world, (), keys, 9)
        found = host_learning.evaluation_returns(Sums(), world, (), state, keys, 3)
    seeds = np.asarray(host_learning._evaluation_seeds(keys, 3))
    for seed, expected in zip(seeds.reshape(-1).tolist(), found.reshape(-1)):
        observation, _ = env.reset(seed=seed)
        total, done = 0.0, False
        while not done:
            observation, reward, end, cut, _ = env.step(int(observation[0] > 0))
            total, done = total + reward, end or cut
        assert total == expected


def test_keys_of_workers_differ_from_all_that_a_lifetime_draws():
    workers = learning.worker_keys(KEY, 4)
    data = np.concatenate([np.asarray(jax.random.key_data(x)) for x in workers])
    assert len(np.unique(data, axis=0)) == len(data)
    assert replace(Sums(), workers=4).workers == 4
