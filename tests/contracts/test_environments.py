"""What every environment promises, over every one that is registered."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symla.environments
from symla.environments import ENVIRONMENTS, FAMILIES, KnowsRegret, make

NAMES = [*ENVIRONMENTS, *(prefix + example for prefix, (_, example, _) in FAMILIES.items())]

pytestmark = pytest.mark.parametrize("environment", [make(n) for n in NAMES], ids=NAMES)


def play(environment, key, steps=50):
    """Random actions, without resets after the first."""
    keys = jax.random.split(key, 3)
    task = environment.sample_task(keys[0])
    state, first = environment.reset(keys[1], task)

    def step(state, key):
        action = jax.random.randint(key, (), 0, environment.spec.action_size)
        timestep = environment.step(key, task, state, action)
        return timestep.state, timestep._replace(state=())

    _, timesteps = jax.lax.scan(step, state, jax.random.split(keys[2], steps))
    return first, timesteps


def test_jit_and_vmap_keep_spec_shapes_and_types(environment, key):
    spec = environment.spec
    batched = jax.jit(jax.vmap(lambda k: play(environment, k)))(jax.random.split(key, 4))
    first, timesteps = batched
    assert first.shape == (4, spec.observation_size)
    assert timesteps.observation.shape == (4, 50, spec.observation_size)
    assert first.dtype == timesteps.observation.dtype == timesteps.reward.dtype == jnp.float32
    assert timesteps.terminated.dtype == timesteps.truncated.dtype == bool


def test_numbers_are_finite(environment, key):
    first, timesteps = play(environment, key, 500)
    assert jnp.isfinite(first).all()
    assert jnp.isfinite(timesteps.observation).all()
    assert jnp.isfinite(timesteps.reward).all()


def test_the_same_key_gives_the_same_lifetime(environment, key):
    jax.tree.map(np.testing.assert_array_equal, play(environment, key), play(environment, key))


def test_another_key_gives_another_lifetime(environment, key):
    _, one = play(environment, key)
    _, other = play(environment, jax.random.key(99))
    same_rewards = np.array_equal(one.reward, other.reward)
    same_observations = np.array_equal(one.observation, other.observation)
    assert not (same_rewards and same_observations)


def test_step_accepts_the_structure_it_returns(environment, key):
    task = environment.sample_task(key)
    state, _ = environment.reset(key, task)
    after = environment.step(key, task, state, jnp.zeros((), jnp.int32)).state
    assert jax.tree.structure(after) == jax.tree.structure(state)


def test_is_its_own_configuration(environment):
    again = eval(repr(environment), vars(symla.environments))
    assert again == environment
    assert hash(again) == hash(environment)


def test_without_an_episode_length_episodes_never_end(environment, key):
    _, timesteps = play(environment, key, 500)
    if environment.spec.episode_length is None:
        assert not timesteps.terminated.any()
        assert not timesteps.truncated.any()


def test_regret_is_never_negative_and_sometimes_zero(environment, key):
    if not isinstance(environment, KnowsRegret):
        pytest.skip("does not know its regret")
    task = environment.sample_task(key)
    regret = environment.regret(task, jnp.arange(environment.spec.action_size))
    assert (regret >= 0).all()
    assert (regret == 0).any()
