"""A lifetime on the host is a lifetime: what is perceived when, what is random, what is kept."""

import threading

import gymnasium
import jax
import numpy as np
import pytest

from symla.algorithms import SymLA
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.pool import Pool
from symla.core.errors import FaultyEnvironmentError
from symla.evaluation.evaluate import HOST_BATCH, meta_test
from symla.lifetimes.host import host_lifetimes
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import lifetime_keys
from symla.rules.loading import hand_made
from symla.rules.rule import Rule
from tests.probes.environments import Contextual, Corridor

MINE = "tests.bridge.registered:"
LEARNER = SymLA(hidden_size=4, message_size=2, micro_ticks=1, initial_std=1.0)


@pytest.fixture
def params():
    """Large ones, so that what was perceived shows in what is done."""
    return jax.tree.map(lambda x: 5 * x, LEARNER.init_params(jax.random.key(1), Contextual().spec))


class FromJax(gymnasium.Env):
    """One lifetime of an environment in JAX, with the task and keys that `lifetime` gives it."""

    def __init__(self, environment, key):
        sizes, self.keys = environment.spec, lifetime_keys(key)
        self.environment, self.t = environment, 0
        self.task = environment.sample_task(self.keys.task)
        self.observation_space = gymnasium.spaces.Box(-9, 9, (sizes.observation_size,))
        self.action_space = gymnasium.spaces.Discrete(sizes.action_size)

    def reset(self, *, seed=None, options=None):
        key = jax.random.fold_in(self.keys.reset, self.t - 1) if self.t else self.keys.reset
        self.state, observation = self.environment.reset(key, self.task)
        return np.asarray(observation), {}

    def step(self, action):
        key = jax.random.fold_in(self.keys.step, self.t)
        now = self.environment.step(key, self.task, self.state, np.int32(action))
        self.state, self.t = now.state, self.t + 1
        return np.asarray(now.observation), *map(np.asarray, now[2:]), {}


@pytest.mark.parametrize("environment", [Contextual(episode_length=4), Corridor()], ids=repr)
def test_an_agent_lives_what_lifetime_lives(environment, params):
    length, seed = 40, 7
    total, _, trace = lifetime(LEARNER, environment, params, jax.random.key(seed), length)
    env = FromJax(environment, jax.random.key(seed))
    agent = Rule(LEARNER, params).agent(env, seed=seed)
    observation, _ = env.reset()
    actions, earned = [], 0.0
    for _ in range(length):
        actions.append(agent.act(observation))
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        agent.observe(reward, terminated, truncated)
        earned += reward
        if terminated or truncated:
            observation, _ = env.reset()
    assert actions == trace.action.tolist()
    assert len(set(actions)) > 1
    assert earned == pytest.approx(float(total), rel=1e-5)


def test_lifetimes_on_the_host_are_lifetimes(params):
    """Ten of them, in two processes where there are two cores."""
    keys, length = jax.random.split(jax.random.key(3), 10), 60
    here = jax.vmap(lambda key: lifetime(LEARNER, Corridor(), params, key, length)[2])(keys)
    environment = GymnasiumEnvironment(MINE + "Corridor-v0")
    steps = list(host_lifetimes(LEARNER, environment, params, keys, length))
    there = jax.tree.map(lambda *parts: np.stack(parts, axis=1), *steps)
    for ours, theirs in zip(here, there):
        assert np.array_equal(ours, theirs)
    assert here.terminated.any()


@pytest.mark.parametrize("name", ["Counting", "Truncates"])
def test_an_episode_that_ends_is_reset_in_the_same_step(name):
    environment = GymnasiumEnvironment(f"{MINE}{name}-v0")
    with Pool(environment, seeds=range(9)) as pool:
        seen = [(pool.reset(), None, None, None)] + [pool.step(np.ones(9, int)) for _ in range(7)]
    for i in (0, 8):  # of the first process and of the last
        episode_and_step = [observation[i].tolist() for observation, *_ in seen]
        assert episode_and_step == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1]]
        rewards, *ends = zip(*((r[i], e[i], u[i]) for _, r, e, u in seen[1:]))
        assert list(rewards) == [1, 2, 3, 1, 2, 3, 1]
        ended, never = ends if name == "Counting" else ends[::-1]
        assert list(ended) == [False, False, True] * 2 + [False]
        assert not any(never)


def test_a_result_counts_steps_and_episodes():
    result = meta_test(hand_made("random"), f"gymnasium:{MINE}Counting-v0", 4, 8)
    assert result.reward_per_step == (1, 2, 3, 1, 2, 3, 1, 2)
    assert result.return_.mean == 15
    assert (result.episodes.ended, result.episodes.lifetimes) == (8, 4)
    assert result.episodes.first_return.mean == result.episodes.last_return.mean == 6
    assert result.episodes.first_length.mean == result.episodes.last_length.mean == 3


def test_finished_lifetimes_outlive_one_that_fails(monkeypatch):
    """The unlucky one is the last of the second batch; its number and seed are named."""
    name, lifetimes = f"gymnasium:{MINE}RaisesOnce-v0", HOST_BATCH + 3
    monkeypatch.setenv("UNLUCKY_SEED", str(seed_of(lifetimes - 1)))
    with pytest.raises(FaultyEnvironmentError, match="of all lifetimes, this one") as caught:
        meta_test(hand_made("random"), name, lifetimes, 9)
    assert f"lifetime {lifetimes}, at step 7; seed {seed_of(lifetimes - 1)} " in str(caught.value)
    measured = caught.value.measured
    assert (measured.lifetimes, measured.length) == (HOST_BATCH, 9)


def seed_of(number):
    from symla.evaluation.evaluate import TEST_STREAM
    from symla.lifetimes.host import _environment_seed

    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), TEST_STREAM), number)
    return int(_environment_seed(lifetime_keys(key).reset))


def test_spaces_that_start_elsewhere():
    result = meta_test(hand_made("random"), f"gymnasium:{MINE}Shifted-v0", 2, 9)
    assert result.length == 9


def test_an_environment_of_the_persons_own_script_needs_no_module():
    from tests.bridge.registered import Counting

    gymnasium.register("Local-v0", lambda: Counting(), max_episode_steps=2)
    result = meta_test(hand_made("random"), "gymnasium:Local-v0", 2, 4)
    assert result.reward_per_step == (1, 2, 1, 2)  # truncated after two steps


def test_an_environment_that_no_other_process_can_make():
    lock = threading.Lock()
    gymnasium.register("Locked-v0", lambda: lock)
    with pytest.raises(FaultyEnvironmentError, match="cannot be pickled for another process"):
        meta_test(hand_made("random"), "gymnasium:Locked-v0", 2, 4)


def test_no_process_is_left_behind():
    environment = GymnasiumEnvironment(f"{MINE}Hangs-v0", time_limit=1.0)
    with pytest.raises(FaultyEnvironmentError, match="did not answer for 1 s"):  # noqa: SIM117
        with Pool(environment, seeds=range(9)) as pool:
            pool.reset()
            for _ in range(7):
                pool.step(np.zeros(9, int))
    assert all(worker.process.poll() is not None for worker in pool.workers)
