"""The policy gradient against enumeration, and that it teaches what it should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import MetaRNN, Random, SymLA
from symla.core.errors import SettingError
from symla.environments import Associations, DependentBandit
from symla.lifetimes.lifetime import lifetime_keys
from symla.lifetimes.percepts import new_percept
from symla.outer import PolicyGradient
from symla.outer.policy_gradient import Baseline
from symla.outer.through_lifetime import lesson
from symla.store import RunFolder
from symla.training.generation import Training
from symla.training.loop import meta_train

NOTHING = Baseline(jnp.zeros(()), jnp.ones(()))


def test_a_lesson_is_the_gradient_of_the_expected_reward():
    """One step, two arms, the first always pays: E[r] = p_0, whose gradient is known."""
    outer = PolicyGradient(discount=0.0, entropy=0.0)
    algorithm, environment = MetaRNN(4), DependentBandit(0.0)
    params = algorithm.init_params(jax.random.key(0), environment.spec)
    many = jax.random.split(jax.random.key(1), 10_000)
    pays = jax.vmap(lambda key: environment.sample_task(lifetime_keys(key)[0])[0])(many) == 1.0
    keys = many[np.flatnonzero(pays)]
    learned, earned = lesson(outer, algorithm, environment, params, NOTHING, keys, 1)

    def expected(params):
        state = algorithm.init_state(params, keys[0], environment.spec)
        percept = new_percept(jnp.ones(1), environment.spec)
        return jax.nn.softmax(algorithm.update(params, state, percept)[0])[0]

    np.testing.assert_allclose(earned, expected(params), atol=0.03)
    exact = jax.grad(expected)(params)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=0.02), learned.gradient, exact)
    assert jnp.abs(exact.readout.bias).max() > 0.1


def test_returns_are_discounted_over_the_lifetime():
    outer = PolicyGradient(discount=0.5, entropy=0.1)
    reward, log, entropy = jnp.array([0.0, 0.0, 4.0]), jnp.array([-1.0, -2.0, -3.0]), jnp.ones(3)
    climbed, (level, square) = outer.objective(NOTHING, reward, log, entropy)
    np.testing.assert_allclose(climbed, (-1.0 - 4.0 - 12.0) / 3 + 0.1, rtol=1e-5)
    np.testing.assert_allclose([level, square], [7 / 3, 7.0], rtol=1e-6)


def test_the_horizon_cuts_the_gradient_and_nothing_else():
    algorithm, environment = SymLA(hidden_size=4), Associations(2, 2)
    params = algorithm.init_params(jax.random.key(0), environment.spec)
    keys = jax.random.split(jax.random.key(1), 4)
    learned = {
        horizon: lesson(
            PolicyGradient(horizon=horizon), algorithm, environment, params, NOTHING, keys, 6
        )
        for horizon in (0, 2, 6)
    }
    returns = {horizon: float(total) for horizon, (_, total) in learned.items()}
    assert returns[0] == returns[2] == returns[6]
    norms = [np.asarray(one.gradient.recurrent) for one, _ in learned.values()]
    np.testing.assert_allclose(norms[0], norms[2], rtol=1e-5, atol=1e-8)
    assert not np.allclose(norms[0], norms[1])


def test_an_algorithm_without_a_derivative_is_refused():
    with pytest.raises(SettingError, match="evolution strategies"):
        lesson(
            PolicyGradient(),
            Random(),
            Associations(2, 2),
            (),
            NOTHING,
            jax.random.split(jax.random.key(0), 2),
            3,
        )


def test_symla_learns_to_tie_what_it_sees_to_what_it_does(tmp_path):
    """Evolution strategies of this budget earn nothing here: no action is better unseen."""
    outer = PolicyGradient(8, 3e-3, discount=0.0, entropy=0.0)
    training = Training(SymLA(), (Associations(2, 2),), outer, 8, 30, seed=0)
    run = RunFolder(tmp_path / "run")
    run.create({})
    meta_train(training, 200, run, {}, probe_every=50)
    rows = [row["return_mean"] for row in run.metrics()]
    assert np.mean(rows[:10]) < 3
    assert np.mean(rows[-10:]) > 15


@pytest.mark.parametrize(
    "settings",
    [
        {"population": 0},
        {"learning_rate": 0.0},
        {"discount": 1.5},
        {"entropy": -1.0},
        {"clip": 0.0},
    ],
)
def test_settings_outside_their_ranges_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        PolicyGradient(**settings)
