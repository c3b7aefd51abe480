"""EPG: its loss is what equations say, its gradient reaches policy and memory, PPO guides it."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import EPG
from symla.algorithms.epg import _convolved
from symla.core.errors import SettingError, SizeError
from symla.core.networks import init_linear
from symla.core.types import Continuous, Discrete, Spec
from symla.environments import IndependentBandit, PointNavigation
from symla.lifetimes import learning
from symla.testing.tracing import QUICKLY

SMALL = EPG(units=(4,), interval=4, workers=2, history=21)
WORLD = PointNavigation(episode_length=4)
KEY = jax.random.key(0)


def lived(algorithm, world):
    @jax.jit
    def live(key):
        params = algorithm.init_params(key, world.spec)
        life = learning.born(algorithm, world, params, key)
        life, rollout, _ = learning.collect(algorithm, world, params, life, algorithm.interval)
        learn = algorithm.learn(params, life.learner, rollout, jnp.int32(8), key)
        return params, life.learner, rollout, learn

    return live.lower(KEY).compile(QUICKLY)(KEY)


DISCRETE = pytest.param(IndependentBandit(3), marks=pytest.mark.slow)


@pytest.mark.parametrize("world", [WORLD, DISCRETE], ids=["continuous", "discrete"])
def test_an_update_goes_down_the_loss_in_policy_and_memory(world):
    params, before, rollout, after = lived(SMALL, world)
    moved = jax.tree.map(lambda x, y: bool(jnp.any(x != y)), before.weights, after.weights)
    assert all(jax.tree.leaves(moved))
    size = rollout.observation.shape[-1]
    loss = jax.jit(SMALL.loss, static_argnums=3)
    falls = [loss(params, x.weights, after.history, size) for x in (before, after)]
    assert falls[1] < falls[0]


def test_it_remembers_what_happened_in_order():
    _, _, rollout, after = lived(SMALL, WORLD)
    assert after.history.shape == (21, 2, 6)
    assert not after.history[:-4].any()
    wanted = rollout.observation, rollout.action, rollout.reward[..., None]
    np.testing.assert_array_equal(after.history[-4:, :, :5], np.concatenate(wanted, axis=-1))
    np.testing.assert_array_equal(after.history[-4:, :, 5], [[0, 0]] * 3 + [[1, 1]])


def test_convolutions_are_those_of_windows():
    x = jax.random.normal(KEY, (11, 2, 3))
    params = init_linear(KEY, 4 * 3, 5)
    found = _convolved(params, x, (4, 2))
    assert found.shape == (4, 2, 5)
    for i in range(4):
        window = np.asarray(x[2 * i : 2 * i + 4, 1]).reshape(-1)
        out = window @ np.asarray(params.weight)
        np.testing.assert_allclose(found[i, 1], np.where(out > 0, out, 0.01 * out), atol=1e-5)


@pytest.mark.slow
def test_guided_alone_it_is_ppo_and_the_loss_says_nothing():
    _, _, rollout, after = lived(replace(SMALL, guidance=1.0), WORLD)
    params, before, _, _ = lived(SMALL, WORLD)
    other = jax.tree.map(lambda x: x + 1.0, params)
    guided = jax.jit(replace(SMALL, guidance=1.0).learn)
    again = guided(other, before, rollout, jnp.int32(8), KEY)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), after.weights, again.weights
    )
    memories = before.weights.memory, after.weights.memory
    jax.tree.map(np.testing.assert_array_equal, *memories)


def test_a_loss_of_other_sizes_is_refused():
    params = SMALL.init_params(KEY, WORLD.spec)
    for spec in (Spec(3, Continuous(2)), Spec(2, Discrete(2))):
        with pytest.raises(SizeError, match="tied to the observations"):
            SMALL.init_state(params, KEY, spec)


@pytest.mark.parametrize(
    "settings", [{"units": ()}, {"workers": 0}, {"history": 20}, {"guidance": 1.5}]
)
def test_settings_outside_ranges_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        replace(SMALL, **settings)
