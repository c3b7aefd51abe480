"""The linear value function finds the values of a chain, as a table and by features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.parts.linear_value import init_value, refitted
from symla.core.types import Discrete, Rollout, Spec
from symla.testing.tracing import QUICKLY

STEPS = 12
VALUES = [0.81, 0.9, 1.0]  # of three states in a row, the last of which pays 1 and ends


def rollout():
    state = np.arange(STEPS) % 3
    observation = jnp.asarray(np.eye(3, dtype=np.float32)[state])[:, None]
    after = jnp.asarray(np.eye(3, dtype=np.float32)[(state + 1) % 3])[:, None]
    last = jnp.asarray(state == 2)[:, None]
    action = jnp.zeros((STEPS, 1), jnp.int32)
    return Rollout(observation, action, last.astype(jnp.float32), last, jnp.zeros_like(last), after)


@pytest.mark.parametrize("one_hot", [True, False])
def test_it_finds_the_values(one_hot):
    value = init_value(Spec(3, Discrete(2), one_hot=one_hot))
    refit = jax.jit(refitted, static_argnums=(2, 3), compiler_options=QUICKLY)
    for _ in range(20):
        advantage, value = refit(value, rollout(), 0.9, 0.5)
    np.testing.assert_allclose(advantage, np.zeros((STEPS, 1)), atol=2e-2)
    if one_hot:
        np.testing.assert_allclose(value.weights, VALUES, atol=2e-2)


def test_what_is_not_known_is_not_learned_from():
    value = init_value(Spec(3, Discrete(2), one_hot=True))
    seen = rollout()
    cut = seen._replace(
        truncated=seen.truncated.at[3].set(True),
        next_observation=seen.next_observation.at[3].set(jnp.nan),
        reward=seen.reward.at[3].set(100.0),
    )
    _, value = refitted(value, cut, 0.9, 0.5)
    assert np.abs(value.weights).max() < 2
