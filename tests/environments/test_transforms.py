"""Transforms invert, compose, and leave everything else as it was."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import SymLA
from symla.core.errors import SettingError
from symla.environments import (
    Control,
    Hearts,
    IndependentBandit,
    MoreActions,
    Permuted,
    Projected,
    Rewards,
    Target,
    knows_regret,
)
from symla.evaluation.evaluate import meta_test
from symla.lifetimes.percepts import new_percept, next_percept
from symla.rules.loading import hand_made


def play(environment, key, actions):
    task = environment.sample_task(key)
    state, observation = environment.reset(key, task)
    seen, rewards = [observation], []
    for t, action in enumerate(actions):
        timestep = environment.step(
            jax.random.fold_in(key, t), task, state, jnp.asarray(action, jnp.int32)
        )
        state = timestep.state
        seen.append(timestep.observation)
        rewards.append(float(timestep.reward))
    return task, jnp.stack(seen), rewards


def test_a_permutation_can_be_undone(key):
    task, seen, rewards = play(Permuted(Target()), key, range(4))
    observations, actions = task.own
    inverse = jnp.argsort(observations)
    _, plain, earned = play(Target(), key, [int(actions[a]) for a in range(4)])
    np.testing.assert_array_equal(seen[:, inverse], plain)
    assert rewards == earned


def test_a_permuted_bandit_knows_its_regret(key):
    environment = Permuted(IndependentBandit(5))
    task = environment.sample_task(key)
    arms = environment.regret(task, jnp.arange(5))
    np.testing.assert_array_equal(arms[jnp.argsort(task.own[1])], jnp.max(task.inner) - task.inner)
    assert knows_regret(environment)
    assert not knows_regret(Permuted(Target()))
    rule = hand_made("ucb1", environment)
    plain = meta_test(rule, IndependentBandit(5), 64, 50).regret.mean
    assert meta_test(rule, environment, 64, 50).regret.mean == pytest.approx(plain, rel=0.3)


def test_symla_learns_the_same_in_any_order(key):
    """With the same actions, its logits are those of the plain order, permuted: exactly equal."""
    plain, environment, algorithm = Control(), Permuted(Control()), SymLA()
    params = algorithm.init_params(key, plain.spec)
    task = environment.sample_task(key)
    observations, actions = task.own
    ours = algorithm.init_state(params, key, plain.spec), environment.reset(key, task)
    theirs = algorithm.init_state(params, key, plain.spec), plain.reset(key, ())
    percepts = [new_percept(x[1][1], plain.spec) for x in (ours, theirs)]
    states, worlds = [ours[0], theirs[0]], [ours[1][0], theirs[1][0]]
    for _ in range(20):
        logits = [None, None]
        for i in (0, 1):
            logits[i], states[i] = algorithm.update(params, states[i], percepts[i])
        np.testing.assert_allclose(logits[0], logits[1][actions], atol=2e-6)
        action = jnp.argmax(logits[0])
        taken = (action, actions[action])
        steps = (
            environment.step(key, task, worlds[0], taken[0].astype(jnp.int32)),
            plain.step(key, (), worlds[1], taken[1].astype(jnp.int32)),
        )
        for i, timestep in enumerate(steps):
            done = timestep.terminated | timestep.truncated
            worlds[i] = timestep.state
            percepts[i] = next_percept(
                timestep.observation, taken[i], timestep.reward, done, plain.spec
            )
        np.testing.assert_array_equal(
            percepts[0].observation, percepts[1].observation[observations]
        )


def test_a_projection_is_linear_and_glorot(key):
    environment = Projected(Target(), 16)
    task, seen, rewards = play(environment, key, range(4))
    _, plain, earned = play(Target(), key, range(4))
    np.testing.assert_allclose(seen, plain @ task.own, rtol=1e-5, atol=1e-6)
    assert rewards == earned
    deviation = np.std(
        [environment.sample_task(k).own for k in jax.random.split(key, 50)], dtype=np.float64
    )
    assert deviation == pytest.approx(np.sqrt(2 / (75 + 16)), rel=0.02)


def test_swapped_rewards_are_negated(key):
    _, seen, rewards = play(Rewards(Target(), swap=1.0), key, range(4))
    _, plain, earned = play(Target(), key, range(4))
    assert rewards == [-r for r in earned]
    np.testing.assert_array_equal(seen, plain)


def test_scale_and_shift_are_drawn_once_a_lifetime(key):
    environment = Rewards(Target(), scale=(0.5, 2.0), shift=(-1.0, 1.0))
    task, _, rewards = play(environment, key, range(4))
    _, _, earned = play(Target(), key, range(4))
    expected = [float(task.own.factor * r + task.own.shift) for r in earned]
    np.testing.assert_allclose(rewards, expected, rtol=1e-5)
    tasks = jax.vmap(environment.sample_task)(jax.random.split(key, 500)).own
    assert 0.5 <= tasks.factor.min() < 0.55
    assert 1.9 < tasks.factor.max() <= 2.0
    assert jnp.abs(jnp.mean(tasks.shift)) < 0.1


def test_delayed_rewards_come_later_and_all_of_them(key):
    environment = Rewards(Hearts(episode_length=6), delay=3)
    for seed in range(8):
        own = jax.random.key(seed)
        task, _, rewards = play(environment, own, [0, 1, 2, 3, 0, 1])
        _, _, earned = play(Hearts(episode_length=6), own, [0, 1, 2, 3, 0, 1])
        end = next((i for i, r in enumerate(earned) if r), 5)  # paid at the latest when it ends
        delay = int(task.own.delay)
        late = [0.0] * delay + earned
        assert rewards[:end] == late[:end]
        assert sum(rewards[: end + 1]) == sum(earned[: end + 1])


def test_more_actions_repeat_those_there_are(key):
    environment = MoreActions(Control(), 4)
    assert environment.spec.action_size == 4
    _, seen, _ = play(environment, key, [2, 3, 2])
    _, plain, _ = play(Control(), key, [0, 1, 0])
    np.testing.assert_array_equal(seen, plain)


def test_transforms_compose(key):
    environment = Projected(Permuted(Rewards(Hearts(), swap=0.5, delay=2)), 7)
    assert environment.spec.observation_size == 7
    reached = meta_test(hand_made("random", environment), environment, 4, 30)
    assert len(reached.reward_per_step) == 30
    assert hash(environment) == hash(Projected(Permuted(Rewards(Hearts(), swap=0.5, delay=2)), 7))


@pytest.mark.parametrize(
    "settings", [{"swap": 2.0}, {"scale": (0.0, 1.0)}, {"shift": (1.0, 0.0)}, {"delay": -1}]
)
def test_impossible_rewards_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        Rewards(Hearts(), **settings)
