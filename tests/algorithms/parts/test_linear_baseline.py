"""The linear baseline against numpy's least squares."""

import jax.numpy as jnp
import numpy as np

from symla.algorithms.parts import linear_baseline
from symla.core.types import Rollout

GENERATOR = np.random.default_rng(0)
STEPS, WORKERS = 30, 4


def rollout():
    done = GENERATOR.random((STEPS, WORKERS)) < 0.1
    observation = jnp.asarray(GENERATOR.normal(size=(STEPS, WORKERS, 2)), jnp.float32)
    reward = jnp.asarray(GENERATOR.normal(size=(STEPS, WORKERS)), jnp.float32)
    never = jnp.zeros((STEPS, WORKERS), bool)
    action = jnp.zeros((STEPS, WORKERS), jnp.int32)
    return Rollout(observation, action, reward, never, jnp.asarray(done), observation)


def test_returns_end_with_episodes_and_with_the_rollout():
    seen = rollout()
    found = linear_baseline.discounted_returns(seen.reward, seen.done, 0.9)
    reward, done = np.asarray(seen.reward), np.asarray(seen.done)
    for worker in range(WORKERS):
        total = 0.0
        for t in reversed(range(STEPS)):
            total = reward[t, worker] + (0.0 if done[t, worker] else 0.9 * total)
            np.testing.assert_allclose(found[t, worker], total, rtol=1e-4, atol=1e-5)


def test_advantages_are_what_least_squares_leave():
    seen = rollout()
    returns = np.asarray(linear_baseline.discounted_returns(seen.reward, seen.done, 0.9))
    time = np.zeros((STEPS, WORKERS))
    for t in range(1, STEPS):
        time[t] = np.where(seen.done[t - 1], 0, time[t - 1] + 0.01)
    columns = [*np.moveaxis(seen.observation, -1, 0), *np.moveaxis(seen.observation**2, -1, 0)]
    x = np.stack([*columns, time, time**2, time**3, np.ones_like(time)], axis=-1)
    np.testing.assert_allclose(linear_baseline.features(seen), x, atol=1e-5)
    flat = x.reshape(-1, 8)
    weights = np.linalg.lstsq(flat, returns.reshape(-1))[0]
    left = returns - (flat @ weights).reshape(returns.shape)
    found = linear_baseline.fitted(linear_baseline.features(seen), jnp.asarray(returns))
    np.testing.assert_allclose(returns - found, left, atol=0.2)  # but for the ridge
    scaled = np.asarray(linear_baseline.advantages(seen, 0.9))
    np.testing.assert_allclose(scaled, (left - left.mean()) / left.std(), atol=0.2)
    np.testing.assert_allclose([scaled.mean(), scaled.var()], [0, 1], atol=1e-4)


def test_features_that_repeat_each_other_do_no_harm():
    """The squares of one-hot observations are the observations."""
    seen = rollout()
    one_hot = jnp.broadcast_to(jnp.eye(2)[0], seen.observation.shape)
    found = linear_baseline.advantages(seen._replace(observation=one_hot), 0.9)
    assert np.isfinite(found).all()
    assert abs(float(found.mean())) < 1e-2
