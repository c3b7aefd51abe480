"""The contract of an environment, for every one that is registered and for transforms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symla.environments
from symla.core.distributions import random_action
from symla.core.types import Discrete
from symla.environments import (
    ENVIRONMENTS,
    FAMILIES,
    Associations,
    Control,
    Hearts,
    MoreActions,
    Permuted,
    Projected,
    Rewards,
    knows_regret,
    make,
)

NAMES = [*ENVIRONMENTS, *(prefix + example for prefix, (_, example, _) in FAMILIES.items())]
TRANSFORMED = {
    "transforms": Projected(
        MoreActions(Permuted(Rewards(Hearts(), 0.5, (0.5, 2.0), (-1.0, 1.0), 3))), 7
    ),
    "continuous": Projected(Permuted(Rewards(Control("Pendulum-v1"), 0.5)), 7),
    "given orders": Permuted(Associations(6, 2), observations=(5, 3, 1, 0, 2, 4), actions=(1, 0)),
}
CASES = {name: make(name) for name in NAMES} | TRANSFORMED

pytestmark = pytest.mark.parametrize("environment", CASES.values(), ids=CASES)


def some_action(environment):
    space = environment.spec.action
    return jnp.zeros((), jnp.int32) if isinstance(space, Discrete) else jnp.zeros(space.size)


def play(environment, key, steps=50):
    """The first observation, and the timesteps of random actions without a further reset."""
    keys = jax.random.split(key, 3)
    task = environment.sample_task(keys[0])
    state, first = environment.reset(keys[1], task)

    def step(state, key):
        action_key, step_key = jax.random.split(key)
        action = random_action(environment.spec.action, action_key)
        timestep = environment.step(step_key, task, state, action)
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


def test_observations_are_one_hot_where_it_says_so(environment, key):
    if environment.spec.one_hot:
        first, timesteps = play(environment, key, 200)
        seen = np.concatenate([first[None], timesteps.observation])
        assert set(np.unique(seen)) <= {0, 1}
        assert (seen.sum(axis=1) == 1).all()


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


def test_no_key_is_used_twice(environment, key):
    """`split(key)[i]` equals `fold_in(key, i)`: a second use may repeat the first one's numbers."""
    keys = jax.random.split(key, 3)
    with jax.debug_key_reuse(True):
        task = jax.jit(environment.sample_task)(keys[0])
        state, _ = jax.jit(environment.reset)(keys[1], task)
        jax.jit(environment.step)(keys[2], task, state, some_action(environment))


def test_step_accepts_the_structure_it_returns(environment, key):
    task = environment.sample_task(key)
    state, _ = environment.reset(key, task)
    after = environment.step(key, task, state, some_action(environment)).state
    assert jax.tree.structure(after) == jax.tree.structure(state)


def test_its_representation_makes_it_again(environment):
    again = eval(repr(environment), vars(symla.environments))
    assert again == environment
    assert hash(again) == hash(environment)


def test_without_an_episode_length_episodes_never_end(environment, key):
    _, timesteps = play(environment, key, 500)
    if environment.spec.episode_length is None:
        assert not timesteps.terminated.any()
        assert not timesteps.truncated.any()


def test_regret_is_never_negative_and_sometimes_zero(environment, key):
    if not knows_regret(environment):
        pytest.skip("its regret is not known")
    task = environment.sample_task(key)
    regret = environment.regret(task, jnp.arange(environment.spec.action_size))
    assert (regret >= 0).all()
    assert (regret == 0).any()
