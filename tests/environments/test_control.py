"""Rewards and observations of control against values computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import Random
from symla.environments import Balance, Control, Gymnax
from symla.environments.control import ControlState
from symla.lifetimes.lifetime import lifetime


def test_only_a_fall_is_paid_minus_one(key):
    total, _, trace = lifetime(Random(), Control("CartPole-v1"), (), key, 300)
    np.testing.assert_array_equal(trace.reward, -trace.terminated.astype(np.float32))
    assert total == -trace.terminated.astype(np.float32).sum()
    assert total < -5


def test_the_goal_pays_one(key):
    environment = Control("MountainCar-v0")
    (state, potential), _ = environment.reset(key, ())
    at_goal = state.replace(position=jnp.float32(0.499), velocity=jnp.float32(0.05))
    timestep = environment.step(
        key, (), ControlState(at_goal, potential), jnp.asarray(2, jnp.int32)
    )
    assert timestep.terminated
    assert timestep.reward == 1.0


@pytest.mark.parametrize("name", ["Acrobot-v1", "MountainCar-v0"])
def test_shaping_pays_the_change_of_the_potential(name, key):
    plain, shaped = Control(name), Control(name, shaping=2.0)
    state, _ = shaped.reset(key, ())
    timestep = shaped.step(key, (), state, jnp.asarray(0, jnp.int32))
    unshaped = plain.step(key, (), state, jnp.asarray(0, jnp.int32))
    expected = 2.0 * (timestep.state.potential - state.potential)
    np.testing.assert_allclose(timestep.reward - unshaped.reward, expected, rtol=1e-5)
    assert expected != 0.0


def policy(kind, name, observation, key):
    if kind == "random":
        return jax.random.randint(key, (), 0, 3)
    if kind == "no force":  # neither reaches the goal
        return jnp.asarray(1, jnp.int32)
    velocity = observation[1 if name == "MountainCar-v0" else 5]  # of what the force acts on
    return jnp.where(velocity < 0, 0, 2).astype(jnp.int32)  # adds energy until the goal is reached


@pytest.mark.parametrize("name", ["Acrobot-v1", "MountainCar-v0"])
def test_shaping_sums_to_minus_the_first_potential(name):
    """Over an episode, whatever the policy, and whether it terminates or is truncated."""
    plain, shaped = Control(name), Control(name, shaping=2.0)
    kinds = ("random", "no force", "along velocity")

    def episode(key, kind):
        reset_key, steps_key = jax.random.split(key)
        start, observation = shaped.reset(reset_key, ())

        def step(carry, key):
            state, observation = carry
            action_key, step_key = jax.random.split(key)
            action = policy(kind, name, observation, action_key)
            timestep = shaped.step(step_key, (), state, action)
            extra = timestep.reward - plain.step(step_key, (), state, action).reward
            recorded = extra, timestep.terminated, timestep.truncated
            return (timestep.state, timestep.observation), recorded

        keys = jax.random.split(steps_key, shaped.spec.episode_length)
        return start.potential, jax.lax.scan(step, (start, observation), keys)[1]

    run = jax.jit(lambda keys: [episode(k, kind) for k, kind in zip(keys, kinds)])
    endings = {}
    for kind, (potential, (extra, *ends)) in zip(
        kinds, run(jax.random.split(jax.random.key(0), len(kinds)))
    ):
        terminated, truncated = (np.asarray(end) for end in ends)
        last = np.flatnonzero(terminated | truncated)[0]
        endings[kind] = "terminated" if terminated[last] else "truncated"
        total = np.asarray(extra, np.float64)[: last + 1].sum()
        assert total == pytest.approx(-2.0 * float(potential), abs=1e-3)
        assert abs(potential) > 1e-4
    assert endings["no force"] == "truncated"
    assert endings["along velocity"] == "terminated"


def test_the_potential_of_the_car_is_its_energy():
    """It is conserved without force, except for rounding and the error of Euler's method."""
    environment, key = Control("MountainCar-v0", shaping=1.0), jax.random.key(0)
    state, _ = environment.reset(key, ())
    before = state.potential
    for _ in range(50):
        state = environment.step(key, (), state, jnp.asarray(1, jnp.int32)).state
    np.testing.assert_allclose(state.potential, before, atol=0.01)


def test_observations_are_of_order_one(key):
    for name in ("CartPole-v1", "Acrobot-v1", "MountainCar-v0"):
        environment = Control(name)
        keys = jax.random.split(key, 64)
        _, observation = jax.vmap(lambda k, e=environment: e.reset(k, ()))(keys)
        assert jnp.abs(observation).max() <= 1.0


def test_balance_pays_for_upright_and_centred(key):
    environment = Balance()
    state, _ = environment.reset(key, ())

    def reward(x, theta):
        start = state.replace(x=jnp.float32(x), theta=jnp.float32(theta))
        still = start.replace(x_dot=jnp.float32(0.0), theta_dot=jnp.float32(0.0))
        return float(environment.step(key, (), still, jnp.asarray(1, jnp.int32)).reward)

    assert reward(0.0, 0.0) == pytest.approx(1.0)
    assert reward(2.0, 0.0) == pytest.approx((1 + 0.1) / 2)
    assert reward(0.0, np.pi) == pytest.approx(0.0, abs=1e-6)
    assert reward(0.0, np.pi / 2) == pytest.approx(0.5)


def test_balance_is_only_truncated(key):
    _, _, trace = lifetime(Random(), Balance(), (), key, 450)
    assert not trace.terminated.any()
    assert np.flatnonzero(trace.truncated).tolist() == [199, 399]


def test_dynamics_are_those_of_gymnax(key):
    ours, plain = Control("Acrobot-v1"), Gymnax("Acrobot-v1")
    _, observation = ours.reset(key, ())
    np.testing.assert_allclose(
        observation * jnp.array([1, 1, 1, 1, 6.0, 12.0]), plain.reset(key, ())[1], rtol=1e-6
    )
