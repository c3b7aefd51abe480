"""Distribution of the payouts, rewards and regret of bandits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.errors import SettingError, UnknownNameError
from symla.environments import BiasedBandit, DependentBandit, IndependentBandit, make


@pytest.mark.parametrize(("low", "name"), [(0.1, "easy"), (0.25, "medium"), (0.4, "hard")])
def test_fixed_payouts(low, name, key):
    tasks = jax.vmap(make(f"bandit-{name}").sample_task)(jax.random.split(key, 500))
    np.testing.assert_allclose(jnp.sort(tasks, axis=1), [[low, 1 - low]] * 500, rtol=1e-6)
    assert 0.4 < jnp.mean(tasks[:, 0] < 0.5) < 0.6  # either arm may be the better one


def test_dependent_payouts_sum_to_one(key):
    tasks = jax.vmap(DependentBandit().sample_task)(jax.random.split(key, 500))
    np.testing.assert_allclose(tasks.sum(axis=1), 1.0, rtol=1e-6)
    assert jnp.std(tasks[:, 0]) == pytest.approx(1 / 12**0.5, rel=0.1)


def test_independent_payouts_are_uncorrelated(key):
    tasks = jax.vmap(IndependentBandit(3).sample_task)(jax.random.split(key, 4000))
    correlation = np.corrcoef(np.asarray(tasks).T)
    np.testing.assert_allclose(correlation, np.eye(3), atol=0.06)


@pytest.mark.parametrize("favoured", [0, 2])
def test_one_arm_pays_most_in_most_lifetimes(favoured, key):
    bandit = BiasedBandit(3, favoured, 0.8)
    tasks = jax.vmap(bandit.sample_task)(jax.random.split(key, 4000))
    best = np.bincount(np.argmax(tasks, axis=1), minlength=3) / 4000
    expected = np.full(3, 0.1)
    expected[favoured] = 0.8
    np.testing.assert_allclose(best, expected, atol=0.03)
    assert float(jnp.mean(jnp.max(tasks, axis=1))) == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("settings", [{"favoured": 2}, {"favoured": -1}, {"bias": 1.1}])
def test_an_arm_that_is_not_there_is_not_favoured(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        BiasedBandit(2, **settings)


def test_arms_pay_with_their_probability(key):
    bandit, payouts = IndependentBandit(3), jnp.array([0.0, 0.3, 1.0])
    for arm, payout in enumerate([0.0, 0.3, 1.0]):
        step = jax.vmap(lambda k, arm=arm: bandit.step(k, payouts, (), jnp.asarray(arm)))
        reward = step(jax.random.split(key, 10_000)).reward
        assert float(jnp.mean(reward)) == pytest.approx(payout, abs=0.02)


def test_regret():
    regret = IndependentBandit(3).regret(jnp.array([0.2, 0.9, 0.5]), jnp.array([0, 1, 2]))
    np.testing.assert_allclose(regret, [0.7, 0.0, 0.4], atol=1e-6)


@pytest.mark.parametrize("name", ["bandit-arms-1", "bandit-arms-0", "bandit-arms--3"])
def test_fewer_than_two_arms_are_refused(name):
    with pytest.raises(SettingError, match="at least 2"):
        make(name)


def test_nearest_names_are_suggested():
    with pytest.raises(UnknownNameError, match=r"did you mean 'bandit-easy'"):
        make("bandit-eazy")
    with pytest.raises(SettingError, match="whole number"):
        make("bandit-arms-two")
