"""The environments that speed is measured in."""

import jax.numpy as jnp
import numpy as np

from symla.bench.workloads import CartPole, SyntheticEnvironment, environment_of
from symla.environments import IndependentBandit


def test_shapes_choose_environments():
    assert environment_of(1, 5) == IndependentBandit(5)
    assert environment_of(4, 2) == CartPole()
    for shape in ((4, 3), (75, 4)):
        assert environment_of(*shape) == SyntheticEnvironment(*shape)
        assert environment_of(*shape).spec.observation_size == shape[0]


def test_the_synthetic_environment_pays_the_observation_of_the_action(key):
    environment = SyntheticEnvironment(3, 5, episode_length=4)
    task = environment.sample_task(key)
    state, seen = environment.reset(key, task)
    for action in range(4):
        timestep = environment.step(key, task, state, jnp.asarray(action))
        np.testing.assert_allclose(timestep.reward, seen[action % 3], atol=1e-6)
        assert not timestep.terminated
        assert bool(timestep.truncated) == (action == 3)
        state, seen = timestep.state, timestep.observation
        assert jnp.all(jnp.abs(seen) <= 1)


def test_the_pole_falls_when_pushed_one_way(key):
    environment = CartPole()
    state, _ = environment.reset(key, ())
    for _ in range(30):
        timestep = environment.step(key, (), state, jnp.asarray(1))
        state = timestep.state
        if timestep.terminated:
            break
    assert 5 < state.step < 15
