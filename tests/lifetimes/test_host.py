"""A lifetime on the host equals one in JAX: percepts, random numbers, results."""

import threading

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import SymLA
from symla.algorithms.random import Random
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.pool import Pool
from symla.core.errors import DivergenceError, FaultyEnvironmentError
from symla.core.streams import Stream, stream_key
from symla.core.types import Continuous, Spec
from symla.environments import PointNavigation
from symla.evaluation.evaluate import meta_test
from symla.evaluation.lifetime_sums import HOST_BATCH
from symla.lifetimes.host import episode_seeds, host_lifetimes, spec_of
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import lifetime_keys
from symla.lifetimes.resolve import make
from symla.rules.loading import hand_made
from symla.rules.rule import Rule
from tests.bridge.registered import Counting, Torques
from tests.probes.algorithms import Echo, Every, Logits
from tests.probes.environments import Contextual, Corridor, RandomStart

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
        self.environment, self.t, self.episode = environment, 0, 0
        self.task = environment.sample_task(self.keys.task)
        self.observation_space = gymnasium.spaces.Box(-9, 9, (sizes.observation_size,))
        self.action_space = gymnasium.spaces.Discrete(sizes.action_size)
        if isinstance(sizes.action, Continuous):
            self.action_space = gymnasium.spaces.Box(-1, 1, (sizes.action_size,))

    def reset(self, *, seed=None, options=None):
        key = jax.random.fold_in(self.keys.episode, self.episode)
        self.state, observation = self.environment.reset(key, self.task)
        self.episode += 1
        return np.asarray(observation), {}

    def step(self, action):
        key = jax.random.fold_in(self.keys.step, self.t)
        action = np.int32(action) if isinstance(action, int) else jnp.asarray(action)
        now = self.environment.step(key, self.task, self.state, action)
        self.state, self.t = now.state, self.t + 1
        return np.asarray(now.observation), *map(np.asarray, now[2:]), {}


@pytest.mark.parametrize(
    ("learner", "environment"),
    [
        (LEARNER, Contextual(episode_length=4)),
        (LEARNER, Corridor()),
        (LEARNER, RandomStart(3)),
        (Echo(), PointNavigation(episode_length=7)),
    ],
    ids=repr,
)
def test_an_agent_lives_what_lifetime_lives(learner, environment):
    length, key = 40, stream_key(7, Stream.AGENT)
    params = learner.init_params(jax.random.key(1), environment.spec)
    params = jax.tree.map(lambda x: 5 * x, params)  # what is perceived changes what is done
    total, _, transition = lifetime(learner, environment, params, key, length)
    env = FromJax(environment, key)
    agent = Rule(learner, params).agent(env, seed=7)
    observation, _ = env.reset()
    actions, earned = [], 0.0
    for _ in range(length):
        actions.append(agent.act(observation))
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        agent.observe(reward, terminated, truncated, observation)
        earned += reward
        if terminated or truncated:
            observation, _ = env.reset()
    np.testing.assert_allclose(np.array(actions), transition.action, rtol=1e-5, atol=1e-6)
    assert len(np.unique(actions)) > 1
    assert env.episode > 3
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
    environment, seeds = GymnasiumEnvironment(f"{MINE}{name}-v0"), np.arange(9)
    with Pool(environment, seeds.tolist()) as pool:
        first, steps = pool.reset(), [pool.step(np.ones(9, int), seeds) for _ in range(7)]
    for i in (0, 8):  # of the first process and of the last
        episode_and_step = [x[i].tolist() for x in (first, *(s.observation for s in steps))]
        assert episode_and_step == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1]]
        rewards, *ends = zip(*((r[i], e[i], u[i]) for _, r, e, u, *_ in steps))
        assert list(rewards) == [1, 2, 3, 1, 2, 3, 1]
        ended, never = ends if name == "Counting" else ends[::-1]
        assert list(ended) == [False, False, True] * 2 + [False]
        assert not any(never)


def test_continuous_actions_are_scaled_and_shown_as_they_were_chosen():
    """`Torques` has bounds of its own, and earns the sum of its action; random play in [-1, 1]."""
    keys, space = jax.random.split(jax.random.key(3), 2), Torques.action_space
    steps = list(host_lifetimes(Random(), make(Torques), (), keys, 30))
    actions = np.stack([step.action for step in steps])
    assert actions.shape == (30, 2, 4)
    assert -1 <= actions.min() < -0.9 < 0.9 < actions.max() <= 1
    low, high = space.low.reshape(4), space.high.reshape(4)
    expected = (low + (actions + 1) / 2 * (high - low)).sum(axis=-1)
    np.testing.assert_allclose([step.reward for step in steps], expected, rtol=1e-5)
    assert spec_of(make(Torques)) == Spec(4, Continuous(4))


def test_what_an_episode_ended_with_is_perceived():
    """Not the first observation of the next one: the episode of `Counting` ends with step 3."""

    class Shows(Echo):
        def step(self, params, state, percept, t, key):
            return percept.final_observation[1].astype(jnp.int32) % 2, state

    steps = host_lifetimes(Shows(), make(Counting), (), jax.random.split(jax.random.key(0), 2), 7)
    assert [step.action[0] for step in steps] == [0, 1, 0, 1, 1, 0, 1]


def test_a_continuous_action_that_is_not_finite_ends_the_test():
    rule = Rule(Echo(), jnp.array(jnp.nan))
    with pytest.raises(DivergenceError, match="in lifetime 1, at step 1: no action"):
        meta_test(rule, Torques, 2, 5)


def test_an_episode_begins_with_the_seed_that_its_environment_was_given():
    """Only where one ended: the others keep theirs."""
    environment = GymnasiumEnvironment(f"{MINE}Seeds-v0")
    with Pool(environment, [1, 2, 3]) as pool:
        assert pool.reset()[:, 1].tolist() == [1, 2, 3]
        for step, expected in enumerate(([10, 2, 12], [10, 21, 12], [30, 31, 32])):
            seeds = 10 * (step + 1) + np.arange(3)
            ends = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]][step])
            observation, *_ = pool.step(ends, seeds)
            assert observation[:, 1].tolist() == expected
            assert pool.seeds == expected


def test_episode_n_has_the_same_seed_whenever_it_begins():
    """Two lifetimes of one key, whose episodes are of two and of three steps; and another key."""
    environment, count = GymnasiumEnvironment(f"{MINE}Seeds-v0"), 4
    keys = jax.random.split(jax.random.key(5), 2)
    own = jax.vmap(lambda key: lifetime_keys(key).episode)(keys)
    expected = np.stack([episode_seeds(own, np.full(2, n, np.int32)) for n in range(count)])
    assert len(set(expected.ravel().tolist())) == 2 * count
    for period in (2, 3):
        steps = host_lifetimes(Every(period), environment, (), keys, count * period)
        rewards = np.stack([step.reward for step in steps]).reshape(count, period, 2)
        seeds = rewards[:, 0].astype(int) * 2**16 + rewards[:, 1].astype(int)
        np.testing.assert_array_equal(seeds, expected)


def test_seeds_follow_from_the_key_of_an_episode_as_in_jax():
    """31 bits of `fold_in(key of episodes, n)`."""
    keys = jax.random.split(jax.random.key(0), 2)
    seeds = episode_seeds(keys, np.array([0, 3], np.int32))
    for key, n, seed in zip(keys, (0, 3), seeds):
        bits = jax.random.bits(jax.random.fold_in(key, n))
        assert int(seed) == int(bits) >> 1 < 2**31


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_policy_that_is_not_finite_ends_the_test(value):
    """Number 12 of the test, the second of its batch, at step 4 alone."""

    class Once(Logits):
        def step(self, params, state, percept, t, key):
            diverges = (t == 3) & (percept.observation[0] == params[2])
            return super().step(jnp.where(diverges, value, params[:2]), state, percept, t, key)

    environment = GymnasiumEnvironment(f"{MINE}Seeds-v0")
    keys = jax.random.split(jax.random.key(5), 3)
    own = jax.vmap(lambda key: lifetime_keys(key).episode)(keys)
    upper_half = float(episode_seeds(own, np.zeros(3, np.int32))[1] // 2**16)
    params = jnp.array([1e4, 0.0, upper_half])  # always action 0: the first episode goes on
    steps = host_lifetimes(Once(), environment, params, keys, 9, first=10)
    assert len([next(steps) for _ in range(3)]) == 3  # what was lived before stands
    with pytest.raises(DivergenceError, match=r"not finite .*in lifetime 12, at step 4: no action"):
        next(steps)
    with pytest.raises(DivergenceError, match="in lifetime 1, at step 1: no action"):
        meta_test(Rule(Logits(), jnp.full(2, value)), environment.name, 2, 5)


def test_a_result_counts_steps_and_episodes():
    result = meta_test(hand_made("random"), f"gymnasium:{MINE}Counting-v0", 4, 30)
    assert [each.mean for each in result.reward_per_step] == [1, 2, 3] * 10
    assert result.return_.mean == 60
    for part in (result.first, result.last):  # six steps: two episodes
        assert part.reward.mean == 2
        assert part.ends.mean == pytest.approx(1 / 3)
        assert part.episode_return == 6
        assert part.episode_length == 3
    assert result.improvement.mean == 0


def test_a_long_episode_under_way_is_not_left_out():
    """Two episodes of two steps, then one that goes on to the end: the mean length of those that
    ended is 2 throughout, the truth of the last fifth is that none did."""
    result = meta_test(hand_made("random"), f"gymnasium:{MINE}EndsTwice-v0", 3, 50)
    assert result.first.episode_length == 5  # 10 steps, 2 ends
    assert result.first.episode_return == 5
    assert result.last.ends.mean == 0
    assert result.last.episode_length is None
    assert result.last.episode_return is None
    assert result.last.reward.mean == 1


def test_finished_lifetimes_outlive_one_that_fails(monkeypatch):
    """The one that fails is the last of the second batch; its number and seed are named."""
    name, lifetimes = f"gymnasium:{MINE}RaisesOnce-v0", HOST_BATCH + 3
    seed = seed_of(lifetimes - 1, episode=2)
    monkeypatch.setenv("UNLUCKY_SEED", str(seed))
    with pytest.raises(FaultyEnvironmentError, match="of all lifetimes, this one") as caught:
        meta_test(hand_made("random"), name, lifetimes, 9)
    assert f"lifetime {lifetimes}, at step 7; seed {seed} " in str(caught.value)
    measured = caught.value.measured
    assert (measured.lifetimes, measured.length) == (HOST_BATCH, 9)


def seed_of(number, episode):
    """Of one lifetime of a test with seed 0."""
    key = jax.random.fold_in(stream_key(0, Stream.TESTING), number)
    keys = lifetime_keys(key).episode[None]
    return int(episode_seeds(keys, np.array([episode], np.int32))[0])


def test_spaces_that_start_elsewhere():
    result = meta_test(hand_made("random"), f"gymnasium:{MINE}Shifted-v0", 2, 9)
    assert result.length == 9


def test_an_environment_of_the_persons_own_script_needs_no_module():
    from tests.bridge.registered import Counting

    gymnasium.register("Local-v0", lambda: Counting(), max_episode_steps=2)
    result = meta_test(hand_made("random"), "gymnasium:Local-v0", 2, 4)
    assert [each.mean for each in result.reward_per_step] == [
        1,
        2,
        1,
        2,
    ]  # truncated after two steps


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
                pool.step(np.zeros(9, int), np.arange(9))
    assert all(worker.process.poll() is not None for worker in pool.workers)
