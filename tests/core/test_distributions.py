"""Sampling from softmax(logits): its frequencies, and logits that are no distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.distributions import NOT_FINITE, log_probability_and_entropy, sample_action

sample = jax.jit(jax.vmap(sample_action, (0, None)))


@pytest.mark.parametrize("size", [2, 5, 64, 65, 200])
def test_frequencies_are_those_of_the_softmax(size):
    """Up to 64 actions the cumulative sums are one product, beyond that a scan."""
    logits = jax.random.normal(jax.random.key(1), (size,)) * 2
    actions = sample(jax.random.split(jax.random.key(0), 20_000), logits)
    assert actions.dtype == jnp.int32
    frequency = np.bincount(actions, minlength=size) / 20_000
    np.testing.assert_allclose(frequency, jax.nn.softmax(logits), atol=0.015)


@pytest.mark.parametrize("size", [2, 5, 65])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("everywhere", [False, True])
def test_logits_that_are_not_finite_give_no_action(size, value, everywhere):
    logits = jnp.full(size, value) if everywhere else jnp.zeros(size).at[1].set(value)
    actions = sample(jax.random.split(jax.random.key(0), 50), logits)
    assert set(actions.tolist()) == {NOT_FINITE} == {-1}


@pytest.mark.parametrize("size", [2, 3, 5, 70])
def test_a_nan_that_is_computed_in_the_same_program_is_found(size):
    """XLA's exp on CPUs turns one from a `where` into a number: softmax is no test for it."""
    compiled = jax.jit(lambda nan, x: sample_action(jax.random.key(0), jnp.where(nan, jnp.nan, x)))
    assert compiled(jnp.asarray(True), jnp.zeros(size)) == NOT_FINITE
    assert compiled(jnp.asarray(False), jnp.zeros(size)) >= 0


def test_large_logits_are_finite():
    actions = sample(jax.random.split(jax.random.key(0), 50), jnp.array([3e38, -3e38]))
    assert set(actions.tolist()) == {0}


def test_log_probability_and_entropy():
    log, entropy = log_probability_and_entropy(jnp.log(jnp.array([0.5, 0.25, 0.25])), jnp.int32(1))
    assert log == pytest.approx(np.log(0.25))
    assert entropy == pytest.approx(1.5 * np.log(2))
