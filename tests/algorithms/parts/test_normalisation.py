"""Running normalisation: the statistics of everything seen, and of nothing else."""

import jax
import jax.numpy as jnp
import numpy as np

from symla.algorithms.parts import normalisation
from symla.core.types import Discrete, Rollout, Spec

SPEC = Spec(3, Discrete(2))
WORKERS, STEPS, DISCOUNT = 2, 6, 0.9
LEARNED = jax.jit(normalisation.learned, static_argnames="discount")


def rollouts(count, seed=0):
    """Consecutive ones, with some ends of episodes."""
    generator = np.random.default_rng(seed)
    shape = STEPS, WORKERS
    for number in range(count):
        yield Rollout(
            np.float32(generator.normal(number, 1 + number, (*shape, 3))),
            np.zeros(shape, np.int32),
            np.float32(generator.normal(1.0, 2.0, shape)),
            generator.random(shape) < 0.2,
            generator.random(shape) < 0.2,
            np.float32(generator.normal(number, 1 + number, (*shape, 3))),
        )


def init(observations=True, rewards=True):
    return normalisation.init(SPEC, WORKERS, observations=observations, rewards=rewards)


def lived(seen, state=None):
    state = state or init()
    for rollout in seen:
        state, _ = LEARNED(state, rollout, discount=DISCOUNT)
    return state


def test_mean_and_variance_of_all_that_was_seen():
    """But for the first mean of 0 and variance of 1, which count as a ten-thousandth."""
    seen = list(rollouts(3))
    state = lived(seen)
    x = np.concatenate([rollout.observation for rollout in seen]).reshape(-1, 3)
    np.testing.assert_allclose(state.observation.mean, x.mean(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(state.observation.variance, x.var(axis=0), rtol=1e-3)
    np.testing.assert_allclose(state.observation.seen, len(x), rtol=1e-4)


def test_returns_run_on_from_rollout_to_rollout_and_begin_with_episodes():
    seen = list(rollouts(3))
    state = lived(seen)
    running, returns = np.zeros(WORKERS), []
    for rollout in seen:
        for reward, done in zip(rollout.reward, rollout.terminated | rollout.truncated):
            running = DISCOUNT * running + reward
            returns.append(running)
            running = np.where(done, 0.0, running)
    np.testing.assert_allclose(state.returns.variance, np.var(returns), rtol=1e-3)
    np.testing.assert_allclose(state.running, running, rtol=1e-4, atol=1e-5)


def test_what_is_learned_from_is_scaled_and_clipped():
    """Observations by the statistics they were acted with, rewards by the new ones."""
    first, second = rollouts(2)
    before = lived([first])
    second.observation[0, 0] = 1e6
    after, found = LEARNED(before, second, discount=DISCOUNT)
    mean, variance, _ = jax.device_get(before.observation)
    deviation = np.sqrt(variance + 1e-8)
    expected = np.clip((second.next_observation - mean) / deviation, -10, 10)
    np.testing.assert_allclose(found.next_observation, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.observation[0, 0], 10.0)
    expected = second.reward / np.sqrt(after.returns.variance + 1e-8)
    np.testing.assert_allclose(found.reward, expected, rtol=1e-4)
    for name in ("action", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(found, name), getattr(second, name))


def test_what_is_not_known_stays_so():
    rollout = next(rollouts(1))
    rollout.next_observation[2, 1] = np.nan
    _, found = LEARNED(init(), rollout, discount=DISCOUNT)
    assert np.isnan(found.next_observation[2, 1]).all()
    assert np.isnan(found.next_observation).sum() == 3


def test_nothing_is_changed_where_nothing_is_asked_for():
    rollout = next(rollouts(1))
    state = init(observations=False, rewards=False)
    assert not jax.tree.leaves(state)
    after, found = LEARNED(state, rollout, discount=DISCOUNT)
    jax.tree.map(np.testing.assert_array_equal, found, rollout)
    assert after == state


def test_many_steps_lose_no_digits():
    """Means far from zero, in float32: a sum of squares would have none left."""
    state = normalisation._nothing((1,))
    generator = np.random.default_rng(1)
    joined = jax.jit(normalisation.joined)
    for _ in range(200):
        state = joined(state, jnp.asarray(generator.normal(1000.0, 1.0, (50, 1, 1)), jnp.float32))
    np.testing.assert_allclose(state.mean, 1000.0, rtol=1e-4)
    assert 0.9 < state.variance[0] < 1.2  # 1 of the numbers, and a trace of the first mean of 0
