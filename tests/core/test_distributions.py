"""Distributions of actions: frequencies, densities, entropies, parameters that are no numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from symla.core.distributions import (
    NOT_FINITE,
    Categorical,
    Gaussian,
    SquashedGaussian,
    are_actions,
    distribution_of,
    encode,
    is_action,
)
from symla.core.types import Continuous, Discrete


@jax.jit
def sample(keys, logits):
    return jax.vmap(lambda key: Categorical(logits).sample(key))(keys)


@jax.jit
def sample_gaussian(keys, gaussian):
    return jax.vmap(gaussian.sample)(keys)


KEYS = jax.random.split(jax.random.key(0), 20_000)
GAUSSIAN = SquashedGaussian(jnp.array([0.3, -1.0]), jnp.array([-0.5, 0.4]))


@pytest.mark.parametrize("size", [2, 5, 64, 65, 200])
def test_frequencies_are_those_of_the_softmax(size):
    """Up to 64 actions the cumulative sums are one product, beyond that a scan."""
    logits = jax.random.normal(jax.random.key(1), (size,)) * 2
    actions = sample(KEYS, logits)
    assert actions.dtype == jnp.int32
    frequency = np.bincount(actions, minlength=size) / 20_000
    np.testing.assert_allclose(frequency, jax.nn.softmax(logits), atol=0.015)


@pytest.mark.parametrize("size", [2, 5, 65])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("everywhere", [False, True])
def test_logits_that_are_not_finite_give_no_action(size, value, everywhere):
    logits = jnp.full(size, value) if everywhere else jnp.zeros(size).at[1].set(value)
    actions = sample(KEYS[:50], logits)
    assert set(actions.tolist()) == {NOT_FINITE} == {-1}
    assert not are_actions(np.asarray(actions)).any()


@pytest.mark.parametrize("size", [2, 3, 5, 70])
def test_a_nan_that_is_computed_in_the_same_program_is_found(size):
    """XLA's exp on CPUs turns one from a `where` into a number: softmax is no test for it."""
    compiled = jax.jit(lambda nan, x: Categorical(jnp.where(nan, jnp.nan, x)).sample(KEYS[0]))
    assert compiled(jnp.asarray(True), jnp.zeros(size)) == NOT_FINITE
    assert compiled(jnp.asarray(False), jnp.zeros(size)) >= 0


def test_large_logits_are_finite():
    assert set(sample(KEYS[:50], jnp.array([3e38, -3e38])).tolist()) == {0}


def test_log_probability_and_entropy_of_a_categorical():
    policy = Categorical(jnp.log(jnp.array([0.5, 0.25, 0.25])))
    assert policy.log_probability(jnp.int32(1)) == pytest.approx(np.log(0.25))
    assert policy.entropy() == pytest.approx(1.5 * np.log(2))
    assert policy.mode() == 0
    assert Categorical(jnp.array([0.0, jnp.nan])).mode() == NOT_FINITE


def test_a_squashed_gaussian_stays_within_its_bounds_and_has_its_median():
    actions = sample_gaussian(KEYS, GAUSSIAN)
    assert actions.dtype == jnp.float32
    assert jnp.abs(actions).max() < 1.0
    np.testing.assert_allclose(jnp.median(actions, axis=0), GAUSSIAN.mode(), atol=0.02)
    np.testing.assert_allclose(jnp.std(jnp.arctanh(actions), axis=0), GAUSSIAN.deviation, rtol=0.02)


def test_its_density_integrates_to_one_and_gives_the_entropy():
    """In each component; E[-log p] over samples is the entropy, within its standard error."""
    one = SquashedGaussian(GAUSSIAN.mean[:1], GAUSSIAN.log_deviation[:1])
    grid = jnp.linspace(-0.9999, 0.9999, 20_001)[:, None]
    density = jnp.exp(jax.vmap(one.log_probability)(grid))
    assert jnp.trapezoid(density, grid[:, 0]) == pytest.approx(1.0, abs=1e-3)
    surprise = -jax.vmap(GAUSSIAN.log_probability)(sample_gaussian(KEYS, GAUSSIAN))
    error = 4.0 * float(surprise.std()) / np.sqrt(surprise.size)
    assert GAUSSIAN.entropy() == pytest.approx(float(surprise.mean()), abs=error)


def test_the_gradient_of_its_log_probability_is_the_gaussians():
    """d/d mean = (u - mean) / deviation^2, with u = arctanh(action) a constant."""
    action = jnp.tanh(jnp.array([0.8, -1.5]))
    gradient = jax.grad(lambda g: g.log_probability(action))(GAUSSIAN)
    expected = (jnp.array([0.8, -1.5]) - GAUSSIAN.mean) / GAUSSIAN.deviation**2
    np.testing.assert_allclose(gradient.mean, expected, rtol=1e-4)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.0, 7.0), (6.0, 1.0), (8.0, 3.0)])
def test_the_mean_of_the_gradient_of_its_log_probability_is_zero(mean, deviation):
    """Also where many actions are at the bounds."""

    def of(parameters, key):
        one = SquashedGaussian(parameters[:1], parameters[1:])
        return one.log_probability(jax.lax.stop_gradient(one.sample(key)))

    parameters = jnp.array([mean, np.log(deviation)])
    keys = jax.random.split(jax.random.key(0), 20_000)
    score = jax.jit(jax.vmap(jax.grad(of), (None, 0)))(parameters, keys)
    error = np.std(score, axis=0) / np.sqrt(len(keys))
    assert (np.abs(np.mean(score, axis=0)) < 4 * error + 1e-6).all()


def test_at_its_bounds_probabilities_and_gradients_are_finite():
    extreme = SquashedGaussian(jnp.array([50.0, -50.0]), jnp.array([9.0, -90.0]))
    action = extreme.sample(KEYS[0])
    found = jax.value_and_grad(lambda g: g.log_probability(action) + g.entropy())(extreme)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(found))


@pytest.mark.parametrize("where", ["mean", "log_deviation"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gaussian_that_is_not_finite_gives_no_action(where, value):
    wrong = GAUSSIAN._replace(**{where: jnp.array([0.0, value])})
    actions = np.asarray(sample_gaussian(KEYS[:5], wrong))
    assert np.isnan(actions[:, 1]).all()
    assert not are_actions(actions).any()
    assert not is_action(jnp.asarray(actions[0]))


def test_the_first_outputs_of_each_action_are_its_parameters():
    outputs = jnp.arange(6.0).reshape(2, 3)
    assert distribution_of(Discrete(2), outputs).logits.tolist() == [0, 3]
    gaussian = distribution_of(Continuous(2), outputs)
    assert (gaussian.mean.tolist(), gaussian.log_deviation.tolist()) == ([0, 3], [1, 4])


def test_actions_are_shown_one_hot_or_as_they_are():
    assert encode(Discrete(3), jnp.int32(2)).tolist() == [0, 0, 1]
    assert encode(Discrete(3), jnp.int32(NOT_FINITE)).tolist() == [0, 0, 0]
    assert encode(Continuous(2), jnp.array([0.5, -1.0])).tolist() == [0.5, -1.0]


def test_a_gaussian_that_is_not_squashed():
    """Its density is scipy's, its samples have its moments, and go beyond the bounds."""
    gaussian = Gaussian(jnp.array([0.3, -1.0]), jnp.array([-0.5, 0.4]))
    mean, deviation = np.asarray(gaussian.mean), np.exp(np.asarray(gaussian.log_deviation))
    action = jnp.array([0.1, 2.0])
    expected = scipy.stats.norm(mean, deviation).logpdf(action).sum()
    np.testing.assert_allclose(gaussian.log_probability(action), expected, rtol=1e-5)
    expected = scipy.stats.norm(mean, deviation).entropy().sum()
    np.testing.assert_allclose(gaussian.entropy(), expected, rtol=1e-5)
    np.testing.assert_array_equal(gaussian.mode(), gaussian.mean)
    samples = sample_gaussian(KEYS, gaussian)
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(samples.std(axis=0), deviation, rtol=0.03)
    assert samples.min() < -2.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gaussian_that_is_neither_squashed_nor_finite_gives_no_action(value):
    number = jnp.float32(value)
    for mean, deviation in ((number, 0.0), (0.0, number)):
        gaussian = Gaussian(jnp.full(2, mean), jnp.full(2, deviation))
        assert not are_actions(np.asarray(sample_gaussian(KEYS[:3], gaussian))).any()
        assert np.isnan(gaussian.mode()).all()
