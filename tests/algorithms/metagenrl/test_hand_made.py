"""Hand-made objectives against their equations, written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.metagenrl import AdvantageWeightedRegression, FollowCritic, ReinforceObjective
from symla.algorithms.metagenrl.hand_made import advantages, log_density
from symla.algorithms.parts.critics import critic
from symla.core.errors import SettingError
from tests.algorithms.metagenrl.batches import actions_of, seen_of

LENGTHS = 20, 1, 8


@pytest.fixture(scope="module")
def seen():
    return seen_of(jax.random.key(2), LENGTHS)


@pytest.fixture(scope="module")
def action(seen):
    return actions_of(jax.random.key(3), seen)


def advantages_by_sums(seen, trace):
    """A_t = sum over k of (discount trace)^k times the TD error at t + k, within the chunk."""
    found = np.zeros(seen.value.shape)
    errors = seen.steps.reward + seen.discount * seen.next_value - seen.value
    for chunk, length in enumerate(LENGTHS):
        for t in range(length):
            later = np.asarray(errors[chunk, t:length], np.float64)
            found[chunk, t] = np.sum(later * (seen.discount * trace) ** np.arange(len(later)))
    return found


@pytest.mark.parametrize("trace", [0.0, 0.9, 1.0])
def test_advantages_are_sums_of_td_errors(seen, trace):
    found = np.where(seen.known, advantages(seen, trace), 0)
    np.testing.assert_allclose(found, advantages_by_sums(seen, trace), rtol=1e-4, atol=1e-5)


def test_reinforce_moves_towards_what_was_better(seen, action):
    distance, known = np.mean((seen.steps.action - action) ** 2, axis=-1), np.asarray(seen.known)
    found = advantages_by_sums(seen, 0.9)
    plain = ReinforceObjective(0.9, standardise=False).losses((), seen, action)
    np.testing.assert_allclose(plain[known], (distance * found)[known], rtol=1e-3, atol=1e-5)
    found = (found - found[known].mean()) / found[known].std()
    losses = ReinforceObjective(0.9).losses((), seen, action)
    np.testing.assert_allclose(losses[known], (distance * found)[known], rtol=1e-3, atol=1e-5)


def test_importance_weights_are_ratios_of_densities_and_at_most_1(seen, action):
    density = log_density(seen.steps.action, action, 0.5)
    told = seen._replace(log_density=density + jnp.where(jnp.arange(20) % 2 == 0, 1.0, -1.0)[None])
    plain = ReinforceObjective(0.9).losses((), told, action)
    weighted = ReinforceObjective(0.9, importance=True, deviation=0.5).losses((), told, action)
    plain, ratio = np.asarray(plain), np.where(np.arange(20) % 2 == 0, np.exp(-1.0), 1.0)
    np.testing.assert_allclose(weighted, plain * ratio, rtol=1e-3, atol=1e-6)


def test_a_density_is_that_of_a_normal_variable():
    found = log_density(jnp.array([0.3, -0.2]), jnp.array([0.1, 0.1]), 0.4)
    each = [np.exp(-0.5 * (d / 0.4) ** 2) / (0.4 * np.sqrt(2 * np.pi)) for d in (0.2, -0.3)]
    np.testing.assert_allclose(found, np.log(np.prod(each)), rtol=1e-5)


def test_advantage_weighted_regression(seen, action):
    losses = AdvantageWeightedRegression(0.9, limit=1.0).losses((), seen, action)
    found, known = advantages_by_sums(seen, 0.9), np.asarray(seen.known)
    scaled = (found - found[known].mean()) / found[known].std()
    wanted = np.mean((seen.steps.action - action) ** 2, axis=-1) * np.exp(np.clip(scaled, -1, 1))
    np.testing.assert_allclose(losses[known], wanted[known], rtol=1e-3, atol=1e-5)


def test_following_the_critic(seen, action):
    losses = FollowCritic().losses((), seen, action)
    np.testing.assert_array_equal(losses, -critic(seen.critic, seen.steps.observation, action))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ReinforceObjective(1.5),
        lambda: ReinforceObjective(deviation=0.0),
        lambda: AdvantageWeightedRegression(-0.1),
        lambda: AdvantageWeightedRegression(limit=100.0),
    ],
)
def test_settings_outside_ranges_are_refused(make):
    with pytest.raises(SettingError):
        make()
