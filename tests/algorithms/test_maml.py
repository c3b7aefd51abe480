"""MAML: the inner step against its equation, first weights, and sizes that they do not fit."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import MAML
from symla.algorithms.parts import linear_baseline
from symla.core.errors import SettingError, SizeError
from symla.core.types import Continuous, Discrete, Spec
from symla.environments import IndependentBandit, PointNavigation
from symla.lifetimes import learning
from symla.testing.tracing import QUICKLY

SMALL = MAML(units=(4,), interval=5, workers=3)
WORLD = PointNavigation(episode_length=5)


def lived(algorithm, world, key):
    @partial(jax.jit, compiler_options=QUICKLY)
    def live(key):
        params = algorithm.init_params(key, world.spec)
        life = learning.born(algorithm, world, params, key)
        return params, learning.collect(algorithm, world, params, life, algorithm.interval)[1]

    return live(key)


DISCRETE = pytest.param(IndependentBandit(3), marks=pytest.mark.slow)


@pytest.mark.parametrize("world", [WORLD, DISCRETE], ids=["continuous", "discrete"])
def test_the_inner_step_is_the_vanilla_policy_gradient(world, key):
    """theta + rate grad mean of log pi(a | s) A; the later ones are shorter."""
    params, rollout = lived(SMALL, world, key)
    advantage = linear_baseline.advantages(rollout, SMALL.discount)

    def gain(policy):
        x = rollout.observation
        for layer in policy.network[:-1]:
            x = jax.nn.relu(x @ layer.linear.weight + layer.linear.bias[None, None])
        out = x @ policy.network[-1].linear.weight + policy.network[-1].linear.bias[None, None]
        action = rollout.extras.action
        if policy.log_deviation is None:
            log = jax.nn.log_softmax(out)
            density = jnp.sum(jnp.where(jnp.arange(3)[None, None] == action[..., None], log, 0), -1)
        else:
            deviation = jnp.exp(policy.log_deviation)[None, None]
            density = jnp.sum(jax.scipy.stats.norm.logpdf(action, out, deviation), -1)
        return jnp.mean(density * advantage)

    slope = jax.jit(jax.grad(gain))(params)
    learn = jax.jit(SMALL.learn)
    for t, rate in ((15, 0.5), (30, 0.25)):
        after = learn(params, params, rollout, jnp.int32(t), key)
        wanted = jax.tree.map(lambda x, y, rate=rate: x + rate * y, params, slope)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=2e-5), after, wanted)


def test_the_environment_sees_actions_within_bounds_and_learning_the_sampled_ones(key):
    wide = replace(SMALL, workers=50)
    _, rollout = lived(wide, WORLD, key)
    sampled = np.asarray(rollout.extras.action)
    assert (abs(sampled) > 1).any()
    np.testing.assert_array_equal(rollout.action, sampled.clip(-1, 1))


def test_first_weights_of_other_sizes_are_refused(key):
    params = SMALL.init_params(key, WORLD.spec)
    assert params.log_deviation.shape == (2,)
    for spec in (Spec(3, Continuous(2)), Spec(2, Continuous(1)), Spec(2, Discrete(2))):
        with pytest.raises(SizeError, match="2 observations and 2 continuous"):
            SMALL.init_state(params, key, spec)


@pytest.mark.parametrize(
    "settings", [{"units": ()}, {"workers": 0}, {"rate": -1.0}, {"discount": 2.0}]
)
def test_settings_outside_ranges_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        MAML(**settings)
