"""Through updates: its gradient against finite differences, what counts, lives that go on."""

import inspect
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from symla.algorithms import MAML
from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.environments import LinearSystem, PointNavigation
from symla.lifetimes.resolve import make
from symla.outer import ThroughUpdates
from symla.outer.lifetime_gradients import staggered_ages
from symla.runtime.devices import replicate, use_devices
from symla.testing.tracing import QUICKLY
from symla.training.generation import Training, generation, init
from tests.probes.algorithms import Logits

MAML_SMALL = MAML(units=(4,), interval=5, workers=3)
WORLD = PointNavigation(episode_length=5)
OUTER = ThroughUpdates(4, Optimiser(0.01, clip=1.0))
TRAINING = Training(MAML_SMALL, (WORLD,), OUTER, lifetimes=1, length=15, seed=0)
STILL = replace(MAML_SMALL, rate=0.0)  # learns nothing
KEY = jax.random.key(1)


@pytest.fixture(scope="module")
def seen():
    """A lifetime of two updates, and the meta-parameters that it began with."""
    params = MAML_SMALL.init_params(KEY, WORLD.spec)
    params = jax.tree.map(lambda x: x + 0.1, params)  # at the origin, units would be at their kink

    @partial(jax.jit, compiler_options=QUICKLY)
    def live(params, keys):
        now = jax.tree.map(lambda x: x[0], OUTER._born(TRAINING, 0, keys, params))
        return OUTER.live(TRAINING, 0, params, jnp.int32(0), now)[0]

    return params, live(params, jax.random.split(KEY, 1))


@partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
def slope(algorithm, params, lived):
    objective = partial(OUTER.objective, algorithm, WORLD.spec)
    return ravel_pytree(jax.grad(objective)(params, jnp.int32(0), lived))[0]


def wide(tree):
    return jax.tree.map(lambda x: x.astype(np.float64) if x.dtype == np.float32 else x, tree)


EVERY = pytest.param(True, marks=pytest.mark.slow)


@pytest.mark.parametrize("every", [False, EVERY], ids=["last", "every"])
def test_the_meta_gradient_is_that_of_the_surrogate_by_finite_differences(seen, every, monkeypatch):
    """In float64, through two updates, on fixed rollouts."""
    for method in ("init_state", "learn"):  # which would be in float32
        monkeypatch.setattr(MAML, method, inspect.unwrap(getattr(MAML, method)))
    params, lived = seen
    with jax.enable_x64(True):
        flat, unravel = ravel_pytree(wide(params))
        lived = jax.tree.map(jnp.asarray, wide(jax.device_get(lived)))

        @jax.jit
        def surrogate(flat):
            t = jnp.asarray(0, jnp.int32)
            outer = replace(OUTER, every_update=every)
            return outer.objective(MAML_SMALL, WORLD.spec, unravel(flat), t, lived)

        gradient = np.asarray(jax.grad(surrogate)(flat))
        assert gradient.dtype == np.float64
        step = 1e-6
        each = np.eye(flat.size) * step
        found = [(surrogate(flat + e) - surrogate(flat - e)) / (2 * step) for e in each]
    assert np.abs(gradient).max() > 1e-2
    np.testing.assert_allclose(gradient, found, rtol=1e-5, atol=1e-7)


def test_the_gradient_goes_through_the_updates(seen):
    """It is not that of the last policy's weights, as first-order MAML has it."""
    params, lived = seen
    whole, last = slope(MAML_SMALL, params, lived), slope(STILL, params, lived)
    assert np.linalg.norm(whole - last) > 0.05 * np.linalg.norm(last)


def test_only_what_comes_after_the_updates_counts(seen):
    """Rewards of the rollouts that are learned from change nothing but what is learned."""
    params, lived = seen
    reward = lived.rollouts.reward.at[:-1].multiply(-3.0)
    changed = lived._replace(rollouts=lived.rollouts._replace(reward=reward))
    found = [slope(STILL, params, each) for each in (lived, changed)]
    np.testing.assert_array_equal(*found)
    # The returns of the evidence are of the last rollout, too.
    step = jax.jit(partial(generation, TRAINING), compiler_options=QUICKLY)
    _, metrics = step(KEY, init(TRAINING), jnp.int32(0))
    assert metrics.returns.shape == (4,)
    assert (np.asarray(metrics.returns) > -5 * 1.5).all()  # 5 steps, not 15


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 4])
def test_the_number_of_devices_changes_no_bit(devices):
    if jax.device_count() < devices:
        pytest.skip(f"needs {devices} devices")
    worlds = LinearSystem(2, 2, episode_length=5), WORLD
    training = replace(TRAINING, environments=worlds, outer=replace(OUTER, lifetime=30))

    def run(count):
        with use_devices(jax.devices()[:count]):
            step = jax.jit(partial(generation, training))
            state = replicate(init(training))
            for number in range(4):
                state, _ = step(replicate(KEY), state, replicate(jnp.int32(number)))
            return jax.device_get(state)

    jax.tree.map(np.testing.assert_array_equal, run(1), run(devices))


@pytest.mark.slow
def test_lives_go_on_and_are_renewed_at_staggered_times():
    outer = replace(OUTER, population=3, lifetime=45)
    training = replace(TRAINING, algorithm=replace(TRAINING.algorithm, later=1.0), outer=outer)
    step = jax.jit(partial(generation, training), compiler_options=QUICKLY)
    state = init(training)
    ages = [np.asarray(state.lives[0].life.age)[:, 0].tolist()]
    for number in range(4):
        state, metrics = step(KEY, state, jnp.int32(number))
        ages.append(np.asarray(state.lives[0].life.age)[:, 0].tolist())
        assert metrics.finite
    assert ages == [[0, 15, 30], [15, 30, 45], [30, 45, 15], [45, 15, 30], [15, 30, 45]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"algorithm": Logits()}, "does not learn by differentiable updates"),
        ({"length": 5}, "at least two of them"),
        ({"length": 13}, "multiple of interval, 5"),
        ({"outer": replace(OUTER, lifetime=45)}, "MAML's first step differs from its later ones"),
        ({"environments": (make("gymnasium:CartPole-v1"),)}, "is on the host"),
    ],
)
def test_what_cannot_be_trained_is_refused(change, message):
    with pytest.raises(SettingError, match=message):
        replace(TRAINING, **change)


def test_ages_of_a_very_long_life_do_not_overflow():
    ages = np.asarray(staggered_ages(16, 64, 3_000_000, 100))
    expected = [i * 3_000_000 // 1024 // 100 * 100 for i in range(1024)]
    assert ages.reshape(-1).tolist() == expected


@pytest.mark.parametrize("settings", [{"population": 0}, {"lifetime": -1}, {"trace": 1.5}])
def test_settings_outside_ranges_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        ThroughUpdates(**settings)
