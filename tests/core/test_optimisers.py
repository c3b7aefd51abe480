"""Adam as settings: equal to optax's, clipped, with its schedule; and settings that are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser, geometric_decay
from symla.core.trees import global_norm


def start():
    return {"x": jnp.linspace(-1.0, 1.0, 6), "y": jnp.ones((2, 2))}


def gradients(steps):
    """Of unlike sizes, a different one each step."""
    keys = jax.random.split(jax.random.key(0), steps)
    return [jax.tree.map(lambda x, k=k: jax.random.normal(k, x.shape) * 3, start()) for k in keys]


def ascend_all(optimiser, found):
    step = jax.jit(optimiser.ascend)
    params, state = start(), optimiser.init(start())
    path = []
    for gradient in found:
        params, state = step(params, gradient, state)
        path.append(params)
    return path


def assert_same_path(optimiser, theirs, found):
    """The path of `theirs`, an optax transformation, which descends."""
    params, state = start(), theirs.init(start())
    step = jax.jit(theirs.update)
    for ours, gradient in zip(ascend_all(optimiser, found), found):
        with jax.numpy_dtype_promotion("standard"):
            updates, state = step(jax.tree.map(jnp.negative, gradient), state, params)
        params = optax.apply_updates(params, updates)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-7), ours, params)


def test_a_constant_learning_rate_is_adam():
    optimiser = Optimiser(0.03, beta1=0.8, beta2=0.95, epsilon=1e-6)
    assert_same_path(optimiser, optax.adam(0.03, 0.8, 0.95, 1e-6), gradients(8))


def test_a_decaying_one_is_adam_with_exponential_decay():
    schedule = optax.exponential_decay(0.03, 5, 0.1, end_value=0.003)
    assert_same_path(
        Optimiser(0.03, decay_steps=5, decay_to=0.1), optax.adam(schedule), gradients(8)
    )


def test_clipping_comes_before_adam():
    theirs = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(0.03))
    assert_same_path(Optimiser(0.03, clip=0.5), theirs, gradients(8))


def test_only_a_gradient_that_is_longer_is_clipped():
    optimiser, gradient = Optimiser(clip=2.0), gradients(1)[0]
    assert global_norm(gradient) > 2.0
    np.testing.assert_allclose(global_norm(optimiser.clipped(gradient)), 2.0, rtol=1e-5)
    short = jax.tree.map(lambda x: x * 0.01, gradient)
    jax.tree.map(np.testing.assert_array_equal, optimiser.clipped(short), short)
    jax.tree.map(np.testing.assert_array_equal, Optimiser(clip=0.0).clipped(gradient), gradient)


def test_ascend_goes_up():
    def height(params):
        return -jnp.sum((params["x"] - 2.0) ** 2) - jnp.sum(params["y"] ** 2)

    optimiser = Optimiser(0.1)
    step = jax.jit(lambda params, state: optimiser.ascend(params, jax.grad(height)(params), state))
    params, state = start(), optimiser.init(start())
    heights = [float(height(params))]
    for _ in range(100):
        params, state = step(params, state)
        heights.append(float(height(params)))
    assert heights[1] > heights[0]
    assert heights[-1] > -0.1


@pytest.mark.parametrize(("step", "factor"), [(0, 1.0), (5, 0.5), (10, 0.25), (1000, 0.25)])
def test_geometric_decay(step, factor):
    assert geometric_decay(jnp.int32(step), 10, 0.25) == pytest.approx(factor)
    assert geometric_decay(jnp.int32(step), 0, 0.25) == 1.0


def test_it_is_a_setting():
    """Hashable and equal by value, so that jit takes it as static and a manifest has it."""
    assert {Optimiser(0.1, clip=1.0): 1}[Optimiser(0.1, clip=1.0)] == 1
    assert Optimiser(0.1) != Optimiser(0.2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"clip": -1.0},
        {"clip": float("nan")},
        {"decay_steps": -1},
        {"decay_to": 0.0},
        {"beta1": 1.0},
        {"beta2": -0.1},
        {"beta2": float("nan")},
        {"epsilon": 0.0},
    ],
    ids=str,
)
def test_settings_outside_their_ranges_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Optimiser(**wrong)


def test_a_scale_is_of_the_step_alone(key):
    """Not of the state, and clipping comes before it."""
    optimiser = Optimiser(0.1, clip=1.0)
    params, gradient = jnp.ones(3), jax.random.normal(key, (3,))
    state = optimiser.init(params)
    whole, after = optimiser.descend(params, gradient, state)
    half, same = optimiser.descend(params, gradient, state, jnp.float32(0.5))
    np.testing.assert_allclose(half - params, 0.5 * (whole - params), rtol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, after, same)
