"""Generalised advantages: by hand, where episodes end, and where nobody told what a step led to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.parts.advantages import advantages, normalised
from symla.core.types import Rollout

DISCOUNT, TRACE = 0.9, 0.8


def rollout_of(observation, next_observation, reward, terminated, truncated):
    """Of one environment, and observations of one number."""
    column = [jnp.asarray(x, jnp.float32)[:, None] for x in (observation, next_observation)]
    observation, next_observation = (x[..., None] for x in column)
    ends = [jnp.asarray(x, bool)[:, None] for x in (terminated, truncated)]
    reward = jnp.asarray(reward, jnp.float32)[:, None]
    action = jnp.zeros(reward.shape, jnp.int32)
    return Rollout(observation, action, reward, *ends, next_observation)


@jax.jit
def of(rollout):
    """With V(s) = 2 s."""
    return advantages(rollout, lambda x: 2.0 * x[..., 0], DISCOUNT, TRACE)


def test_by_hand():
    """A rollout that ends within an episode: sums of discounted TD errors."""
    found = of(rollout_of([1, 2, 3], [2, 3, 4], [0.5, -1.0, 2.0], [0, 0, 0], [0, 0, 0]))
    delta = [0.5 + 0.9 * 4 - 2, -1.0 + 0.9 * 6 - 4, 2.0 + 0.9 * 8 - 6]
    last = delta[2]
    middle = delta[1] + 0.72 * last
    expected = np.float32([delta[0] + 0.72 * middle, middle, last])
    np.testing.assert_allclose(found.advantage[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(found.target[:, 0], expected + np.float32([2, 4, 6]), rtol=1e-6)
    assert found.known.all()


@pytest.mark.parametrize(
    ("terminated", "truncated", "advantage"),
    [
        (True, False, 1.0 - 2.0),  # nothing comes after it
        (False, True, 1.0 + 0.9 * 2.0 - 2.0),  # what comes after it is worth what all states are
        (True, True, 1.0 - 2.0),
    ],
)
def test_an_environment_of_one_state(terminated, truncated, advantage):
    """Its reward is 1 and its V is 2. No step sees beyond the end of its episode."""
    ends = [False, True, False, True]
    rollout = rollout_of(
        np.ones(4), np.ones(4), np.ones(4), np.array(ends) & terminated, np.array(ends) & truncated
    )
    before = 1.0 + 0.9 * 2.0 - 2.0 + 0.72 * advantage
    expected = [before, advantage, before, advantage]
    np.testing.assert_allclose(of(rollout).advantage[:, 0], expected, rtol=1e-5)


def test_a_truncated_step_whose_end_is_not_told():
    """It is left out, and the step before it bootstraps from where it began."""
    rollout = rollout_of([1, 2, 5], [2, np.nan, 6], [1, 1, 1], [0, 0, 0], [0, 1, 0])
    found = of(rollout)
    assert found.known[:, 0].tolist() == [True, False, True]
    expected = np.float32([1.0 + 0.9 * 4 - 2, 0.0, 1.0 + 0.9 * 12 - 10])
    np.testing.assert_allclose(found.advantage[:, 0], expected, rtol=1e-6)
    assert np.isfinite(found.target).all()


def test_a_terminated_step_needs_no_end():
    found = of(rollout_of([1, 2], [2, np.nan], [1, 1], [0, 1], [0, 0]))
    assert found.known.all()
    np.testing.assert_allclose(found.advantage[1, 0], 1.0 - 4.0)


def test_a_reward_that_is_no_number_is_not_left_out():
    assert np.isnan(of(rollout_of([1, 1], [1, 1], [1, np.nan], [0, 0], [0, 0])).advantage).all()


def test_environments_side_by_side_are_apart():
    one = rollout_of([1, 2], [2, 3], [1, 0], [0, 0], [1, 0])
    other = rollout_of([3, 1], [1, 0], [2, 5], [0, 1], [0, 0])
    both = jax.tree.map(lambda *x: jnp.concatenate(x, axis=1), one, other)
    for worker, alone in enumerate((of(one), of(other))):
        np.testing.assert_allclose(of(both).advantage[:, worker], alone.advantage[:, 0], rtol=1e-6)


def test_normalised_over_what_is_known():
    known = jnp.array([True, True, False, True])
    found = normalised(jnp.array([1.0, 2.0, 100.0, 3.0]), known)
    np.testing.assert_allclose(found[known], [-1.0, 0.0, 1.0], atol=1e-6)
    alone = jnp.array([False, True, False, False])
    assert normalised(jnp.array([1.0, 2.0, 3.0, 4.0]), alone)[1] == 2.0
