"""Q-learning with linear values: its step, and that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.linear_q_learning import LinearQLearning, LinearQState
from symla.core.errors import SettingError, SizeError
from symla.core.types import Continuous, Percept, Spec
from symla.evaluation.evaluate import meta_test
from symla.rules.loading import hand_made


def learned(terminated):
    """The weights after one step with the features x = [3, 1], reward 2, and action 1."""
    algorithm = LinearQLearning(learning_rate=0.5, discount=0.5)
    weights = jnp.asarray([[1.0, 0.0], [0.0, 1.0]])
    state = LinearQState(weights, jnp.asarray([3.0, 1.0]))
    after, no = jnp.asarray([4.0]), jnp.zeros((), bool)
    ended = jnp.asarray(terminated)
    percept = Percept(after, jnp.asarray([0.0, 1.0]), jnp.float32(2.0), ended, no, after)
    return algorithm.step((), state, percept, jnp.int32(1), jax.random.key(0))[1].weights


@pytest.mark.parametrize(("terminated", "target"), [(False, 2.0 + 0.5 * 4.0), (True, 2.0)])
def test_a_step_goes_its_part_of_the_way_to_the_target(terminated, target):
    """Q(x, 1) was 1."""
    weights = learned(terminated)
    assert weights[0, 1] * 3 + weights[1, 1] == pytest.approx(1 + 0.5 * (target - 1), rel=1e-5)
    np.testing.assert_allclose(weights[:, 0], [1.0, 0.0])


def test_it_finds_the_best_arm():
    found = meta_test(hand_made("linear-q-learning,learning_rate=0.1"), "bandit-arms-2", 100, 200)
    assert found.learns() == "yes"


def test_refusals():
    with pytest.raises(SettingError, match="least"):
        LinearQLearning(least=0.5, epsilon=0.1)
    with pytest.raises(SizeError, match="Discrete"):
        LinearQLearning().init_state((), jax.random.key(0), Spec(1, Continuous(1)))
