"""REINFORCE: gradients equal to closed forms, and what each of its optimizers changes."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.parts.actor_critics import Batch, Policy, distribution
from symla.algorithms.reinforce import Reinforce, policy_loss, value_loss
from symla.core.errors import SettingError
from symla.core.networks import init_perceptron, perceptron
from symla.lifetimes import learning
from symla.testing.tracing import QUICKLY
from tests.probes.one_state import OneState

STEPS = 6
KNOWN = np.array([True, True, True, False, True, True])
GRADIENT = jax.jit(jax.grad(policy_loss), compiler_options=QUICKLY)


@pytest.fixture(scope="module")
def seen():
    """Observations, and advantages of mean 0 and variance 1 over the steps that are known."""
    generator = np.random.default_rng(0)
    advantage = generator.normal(size=STEPS)
    known = advantage[KNOWN]
    advantage = (advantage - known.mean()) / known.std(ddof=1)
    return np.float32(generator.normal(size=(STEPS, 3))), np.float32(advantage)


def batch_of(seen, action):
    observation, advantage = map(jnp.asarray, seen)
    zeros = jnp.zeros(STEPS)
    return Batch(observation, action, zeros, 3.0 * advantage + 1.0, zeros, jnp.asarray(KNOWN))


def network(key, actions):
    """A linear map: its gradient is that of its outputs, times the observation."""
    return init_perceptron(key, (3, actions))


def test_the_gradient_of_a_softmax_policy(seen, key):
    """-E[A (one-hot(a) - p) s]."""
    observation, advantage = seen
    action = jnp.array([0, 1, 2, 0, 1, 0], jnp.int32)
    policy = Policy(network(key, 3), None)
    found = GRADIENT(policy, batch_of(seen, action)).network[0].linear
    logits = jax.vmap(lambda x: distribution(policy, x).logits)(observation)
    score = np.eye(3)[action] - np.asarray(jax.nn.softmax(logits, axis=-1))
    weighted = -(KNOWN * advantage)[:, None] * score / KNOWN.sum()
    np.testing.assert_allclose(found.bias, weighted.sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.weight, observation.T @ weighted, atol=1e-5)


def test_the_gradient_of_a_gaussian_policy(seen, key):
    """-E[A (a - mean) / deviation^2 s] and -E[A ((a - mean)^2 / deviation^2 - 1)]."""
    observation, advantage = seen
    action = jax.random.normal(key, (STEPS, 2))
    policy = Policy(network(key, 2), jnp.array([-0.5, 0.3]))
    found = GRADIENT(policy, batch_of(seen, action))
    mean = np.asarray(perceptron(policy.network, jnp.asarray(observation)))
    deviation = np.exp([[-0.5, 0.3]])
    error = (np.asarray(action) - mean) / deviation
    weight = -(KNOWN * advantage)[:, None] / KNOWN.sum()
    weighted = weight * error / deviation
    np.testing.assert_allclose(found.network[0].linear.weight, observation.T @ weighted, atol=1e-5)
    expected = (weight * (error**2 - 1.0)).sum(axis=0)
    np.testing.assert_allclose(found.log_deviation, expected, atol=1e-5)


def test_the_gradient_of_the_value(seen, key):
    """2 E[(V - target) s]."""
    observation, _ = seen
    batch = batch_of(seen, jnp.zeros(STEPS, jnp.int32))
    params = network(key, 1)
    found = jax.grad(value_loss)(params, batch)[0].linear
    error = np.asarray(perceptron(params, jnp.asarray(observation)))
    expected = 2.0 * observation.T @ (KNOWN[:, None] * error) / KNOWN.sum()
    np.testing.assert_allclose(found.weight, expected, atol=1e-5)


def test_a_rollout_is_one_step_of_the_policy_and_several_of_the_value(key):
    algorithm = Reinforce(units=(8,), interval=8, workers=2, value_updates=5)
    world = OneState(gain=1.0)

    @partial(jax.jit, compiler_options=QUICKLY)
    def learner_of(key):
        life = learning.born(algorithm, world, (), key)
        return learning.learn_on(algorithm, world, (), life, jnp.int32(0))[0].learner

    learner = learner_of(key)
    assert (learner.policy_optimizer[0].count, learner.value_optimizer[0].count) == (1, 5)


@pytest.mark.parametrize("wrong", [{"units": ()}, {"value_updates": 0}, {"trace": 2.0}])
def test_settings_outside_their_ranges_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Reinforce(**wrong)


def test_presets_are_settings_of_it():
    for settings in Reinforce.presets.values():
        assert isinstance(replace(Reinforce(), **settings), Reinforce)
