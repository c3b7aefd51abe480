"""Continuous actions: mean and deviation from the outputs, their order, one rule for both kinds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import MetaRNN, SymLA, Thompson
from symla.core.distributions import SquashedGaussian
from symla.core.errors import SizeError
from symla.core.types import Continuous, Discrete, Percept, Spec
from symla.environments import Permuted, PointNavigation
from symla.lifetimes.lifetime import lifetime

SPEC = Spec(4, Continuous(3))
SYMLA = SymLA(hidden_size=5, message_size=3)


def percepts(steps=6):
    keys = jax.random.split(jax.random.key(0), 3)
    observation = jax.random.normal(keys[0], (steps, 4))
    never = jnp.zeros(steps, bool)
    action = jax.random.uniform(keys[1], (steps, 3), minval=-1.0)
    reward = jax.random.normal(keys[2], (steps,))
    return Percept(observation, action, reward, never, never, observation)


def policies(algorithm, params, seen):
    state = algorithm.init_state(params, jax.random.key(0), SPEC)

    def step(state, percept):
        policy, state = algorithm.update(params, state, percept)
        return state, policy

    return jax.lax.scan(step, state, seen)[1]


def test_the_order_of_components_and_observations_changes_nothing_else():
    params = jax.tree.map(lambda x: 3.0 * x, SYMLA.init_params(jax.random.key(0), SPEC))
    observations, actions = jnp.array([2, 0, 3, 1]), jnp.array([1, 2, 0])
    seen = percepts()
    shuffled = seen._replace(
        observation=seen.observation[:, observations], action=seen.action[:, actions]
    )
    plain, permuted = (policies(SYMLA, params, each) for each in (seen, shuffled))
    assert isinstance(plain, SquashedGaussian)
    for one, other in zip(plain, permuted):
        assert jnp.ptp(one[-1]) > 1e-3  # or the test would show nothing
        np.testing.assert_allclose(other, one[:, actions], rtol=1e-5, atol=2e-5)


def test_a_permuted_environment_takes_each_component_where_it_belongs(key):
    """Component j of an action is component actions[j] inside, and so is what it moves."""
    inside, world = PointNavigation(3), Permuted(PointNavigation(3), (2, 0, 1), (1, 2, 0))
    task = world.sample_task(key)
    state, _ = world.reset(key, task)
    after = world.step(key, task, state, jnp.array([0.1, 0.2, 0.3])).state
    plain = inside.step(key, task.inner, state, jnp.array([0.3, 0.1, 0.2])).state
    np.testing.assert_allclose(after.position, plain.position)


def test_one_rule_lives_in_both_kinds_of_world(key):
    params = SYMLA.init_params(key, SPEC)
    for space in (Continuous(2), Discrete(2)):
        state = SYMLA.init_state(params, key, Spec(1, space))
        first = jax.tree.map(lambda x: x[0], percepts())
        percept = first._replace(observation=jnp.ones(1), action=jnp.zeros(2))
        action, _ = SYMLA.step(params, state, percept, jnp.int32(0), key)
        assert action.shape == ((2,) if isinstance(space, Continuous) else ())


@pytest.mark.parametrize("algorithm", [SYMLA, MetaRNN(4)], ids=["symla", "meta-rnn"])
def test_a_lifetime_of_continuous_actions_is_finite_and_within_bounds(algorithm, key):
    world = PointNavigation(episode_length=5)
    params = algorithm.init_params(key, world.spec)
    _, _, lived = lifetime(algorithm, world, params, key, 20)
    assert lived.action.shape == (20, 2)
    assert jnp.abs(lived.action).max() < 1.0
    assert jnp.isfinite(lived.reward).all()


def test_meta_rnn_has_two_outputs_for_each_component(key):
    params = MetaRNN(4).init_params(key, SPEC)
    assert params.readout.bias.shape == (6,)
    assert params.lstm.input.shape[0] == 4 + 3 + 2


def test_what_has_no_continuous_actions_says_so(key):
    with pytest.raises(SizeError, match="continuous actions"):
        Thompson().init_state((), key, SPEC)
    with pytest.raises(SizeError, match="message_size of at least 2"):
        small = SymLA(message_size=1)
        small.init_state(small.init_params(key, SPEC), key, SPEC)
