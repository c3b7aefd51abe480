"""gymnax environments: dynamics as Gymnasium's, truncation, observations, what is refused."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.errors import UnknownNameError
from symla.core.types import Continuous
from symla.environments import Gymnax, make


def set_state(theirs, name, state):
    """Put Gymnasium's environment in the state of gymnax's."""
    if name == "CartPole-v1":
        theirs.state = np.array([state.x, state.x_dot, state.theta, state.theta_dot], np.float64)
    elif name == "Acrobot-v1":
        angles = [state.joint_angle1, state.joint_angle2, state.velocity_1, state.velocity_2]
        theirs.state = np.array(angles, np.float64)
    else:
        theirs.state = np.array([state.position, state.velocity], np.float64)


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0"])
def test_steps_as_gymnasium_does(name, key):
    ours, theirs = Gymnax(name), gymnasium.make(name).unwrapped
    theirs.reset(seed=0)
    task = ours.sample_task(key)
    state, _ = ours.reset(key, task)
    step = jax.jit(lambda key, state, action: ours.step(key, task, state, action))
    actions = np.random.default_rng(0).integers(0, ours.spec.action_size, 200)
    ends = 0
    for t, action in enumerate(actions):
        set_state(theirs, name, state)  # at each step, so that rounding errors do not accumulate
        timestep = step(jax.random.fold_in(key, t), state, jnp.asarray(action, jnp.int32))
        observation, reward, terminated, _, _ = theirs.step(int(action))
        np.testing.assert_allclose(timestep.observation, observation, rtol=2e-4, atol=2e-5)
        assert bool(timestep.terminated) == terminated
        assert float(timestep.reward) == reward
        ends += terminated
        theirs.reset(seed=t)
        state = ours.reset(jax.random.fold_in(key, t), task)[0] if terminated else timestep.state
    assert ends > 0 or name != "CartPole-v1"


def test_the_time_limit_truncates_and_does_not_terminate(key):
    environment = Gymnax("MountainCar-v0")
    state, _ = environment.reset(key, ())
    truncated = []
    step = jax.jit(lambda state: environment.step(key, (), state, jnp.asarray(1, jnp.int32)))
    for _ in range(environment.spec.episode_length):
        timestep = step(state)
        state = timestep.state
        truncated.append(bool(timestep.truncated))
        assert not timestep.terminated
    assert truncated == [False] * 199 + [True]


def test_images_are_flattened(key):
    environment = make("gymnax:Catch-bsuite")
    _, observation = environment.reset(key, ())
    assert observation.shape == (environment.spec.observation_size,) == (50,)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="CartPole-v1"):
        make("gymnax:Cartpole-v1")


@pytest.mark.parametrize("name", ["Pendulum-v1", "MountainCarContinuous-v0"])
def test_continuous_actions_are_scaled_to_their_bounds(name, key):
    """As Gymnasium steps, with actions of its own bounds."""
    ours, theirs = Gymnax(name), gymnasium.make(name).unwrapped
    assert ours.spec.action == Continuous(1)
    bound = theirs.action_space.high
    theirs.reset(seed=0)
    state, _ = ours.reset(key, ())
    step = jax.jit(lambda key, state, action: ours.step(key, (), state, action))
    for t, action in enumerate(np.linspace(-1, 1, 30, dtype=np.float32)):
        fields = ("theta", "theta_dot") if name == "Pendulum-v1" else ("position", "velocity")
        parts = [getattr(state, field) for field in fields]
        theirs.state = np.array(parts, np.float64)
        timestep = step(jax.random.fold_in(key, t), state, jnp.full(1, action))
        observation, reward, *_ = theirs.step(bound * action)
        np.testing.assert_allclose(timestep.observation, observation, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(timestep.reward, reward, rtol=1e-3, atol=1e-4)
        state = timestep.state
