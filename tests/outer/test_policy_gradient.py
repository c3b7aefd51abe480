"""The policy gradient against closed forms, its baselines, and that it trains."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import MetaRNN, Random, SymLA
from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.core.trees import global_norm
from symla.environments import Associations, DependentBandit
from symla.lifetimes.percepts import lifetime_keys, new_percept
from symla.outer import Candidates, PolicyGradient
from symla.outer.lifetime_gradients import Baseline, Gradients
from symla.outer.returns import lifetime_keys_of_group
from symla.outer.through_lifetime import Steps
from symla.store import RunFolder
from symla.training.generation import Training
from symla.training.loop import train_rule
from tests.probes.algorithms import Logits
from tests.probes.environments import Corridor

NOTHING = Baseline(jnp.zeros(()), jnp.ones(()))


def evidence(outer, algorithm, environment, params, lifetimes, length, key=None):
    """Of one candidate, without its axis."""
    training = Training(algorithm, (environment,), outer, lifetimes, length, seed=0)
    stacked = jax.tree.map(lambda x: x[None], params)
    start = outer.init(params).baseline
    candidates = Candidates(stacked, jnp.arange(1), start)
    key = jax.random.key(1) if key is None else key
    found = jax.jit(lambda c, k: outer.evidence(training, 0, c, (), k)[0])(candidates, key)
    return jax.tree.map(lambda x: x[0] if x.ndim else x, found)


def test_evidence_is_the_gradient_of_the_expected_reward():
    """One step, two arms, one of which pays always: E[r] = (p_0 + p_1) / 2 over tasks; the
    gradient is known for the tasks that were drawn."""
    outer = PolicyGradient(1, Optimiser(clip=0.0), discount=0.0, entropy=0.0)
    algorithm, environment = MetaRNN(4), DependentBandit(0.0)
    params = algorithm.init_params(jax.random.key(0), environment.spec)
    params = params._replace(readout=params.readout._replace(bias=jnp.array([0.5, -0.5])))
    count, key = 20_000, jax.random.key(1)
    found = evidence(outer, algorithm, environment, params, count, 1, key)
    keys = lifetime_keys_of_group(key, jnp.zeros((), jnp.int32), count)
    pays = jax.vmap(lambda key: environment.sample_task(lifetime_keys(key).task))(keys).mean(axis=0)

    def expected(params):
        state = algorithm.init_state(params, key, environment.spec)
        percept = new_percept(jnp.ones(1), environment.spec)
        return jnp.dot(jax.nn.softmax(algorithm.update(params, state, percept)[0].logits), pays)

    np.testing.assert_allclose(found.returns, expected(params), atol=0.01)
    np.testing.assert_allclose(found.mean, found.returns, rtol=1e-6)
    exact = jax.grad(expected)(params)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=0.02), found.gradient, exact)


def test_returns_are_discounted_over_the_lifetime():
    outer = PolicyGradient(discount=0.5, entropy=0.1)
    steps = Steps(
        jnp.array([0.0, 0.0, 4.0]), jnp.array([-1.0, -2.0, -3.0]), jnp.ones(3), jnp.zeros(3)
    )
    objective, (mean, square) = outer.objective(NOTHING, steps)
    np.testing.assert_allclose(objective, (-1.0 - 4.0 - 12.0) / 3 + 0.1, rtol=1e-5)
    np.testing.assert_allclose([mean, square], [7 / 3, 7.0], rtol=1e-6)


def test_the_baseline_is_subtracted_and_its_deviation_divided_by():
    outer = PolicyGradient(discount=0.0, entropy=0.0)
    steps = Steps(jnp.array([5.0, 9.0]), jnp.array([-1.0, -1.0]), jnp.zeros(2), jnp.zeros(2))
    objective, _ = outer.objective(Baseline(jnp.float32(3.0), jnp.float32(4.0)), steps)
    np.testing.assert_allclose(objective, -(2.0 / 2 + 6.0 / 2) / 2, rtol=1e-5)


def told(outer, state, evidence):
    params = jax.tree.map(lambda x: jnp.stack([x] * outer.population), state.params)
    candidates = Candidates(params, jnp.arange(outer.population), state.baseline)
    return outer.tell(state, candidates, evidence)


def test_each_environment_has_a_baseline_of_its_own():
    """Returns of one of them are up to 1, those of the other 100: in turns, as in training."""
    outer = PolicyGradient(4)
    state = outer.init({"x": jnp.zeros(3)}, environments=2)
    assert state.baseline.mean.shape == (2,)
    rng = np.random.default_rng(0)
    tell = jax.jit(lambda state, evidence: told(outer, state, evidence))
    for generation in range(200):
        index = generation % 2
        before = state.baseline
        mean = jnp.asarray(rng.uniform(size=4) if index == 0 else np.full(4, 100.0), jnp.float32)
        square = (mean - state.baseline.mean[index]) ** 2
        gradient = {"x": jnp.ones((4, 3))}
        state = tell(state, Gradients(mean, gradient, mean, square, jnp.int32(index)))
        assert state.baseline.mean[1 - index] == before.mean[1 - index]
        assert state.baseline.square[1 - index] == before.square[1 - index]
    np.testing.assert_allclose(state.baseline.mean, [0.5, 100.0], rtol=0.2)
    assert state.baseline.square.max() < 1.0  # one baseline for both: some thousands


def test_evidence_uses_the_baseline_of_its_environment():
    """With a baseline equal to every return the advantage is zero, and so is the gradient."""
    outer = PolicyGradient(1, Optimiser(clip=0.0), discount=0.0, entropy=0.0)
    algorithm, environment = Logits(), Corridor(cells=1)
    training = Training(algorithm, (environment,) * 2, outer, 2, 3, seed=0)
    params = algorithm.init_params(jax.random.key(0), environment.spec)
    stacked = jax.tree.map(lambda x: x[None], params)
    baseline = Baseline(jnp.array([0.0, 1.0]), jnp.ones(2))  # every step there pays 1
    candidates = Candidates(stacked, jnp.arange(1), baseline)
    norms = []
    for index in range(2):
        arguments = candidates, (), jax.random.key(0)
        found, _ = jax.jit(partial(outer.evidence, training, index))(*arguments)
        assert found.environment == index
        norms.append(float(global_norm(found.gradient)))
    assert norms[0] > 1e-3
    assert norms[1] < 1e-6


@pytest.mark.parametrize("where", ["returns", "gradient", "mean", "square"])
def test_a_candidate_that_is_not_finite_is_left_out(where):
    outer = PolicyGradient(4)
    state = outer.init({"x": jnp.zeros(3)})
    numbers = jnp.arange(1.0, 5.0)
    gradient = {"x": jnp.outer(numbers, jnp.ones(3))}
    whole = Gradients(numbers, gradient, numbers, numbers, jnp.int32(0))
    broken = jax.tree.map(lambda x: x.at[1].set(jnp.nan), getattr(whole, where))
    after = told(outer, state, whole._replace(**{where: broken}))
    kept = jnp.array([0, 2, 3])
    three = jax.tree.map(lambda x: x[kept] if x.ndim else x, whole)
    expected = told(PolicyGradient(3), state, three)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), after, expected)


def test_gradients_of_which_none_is_finite_are_divergence():
    """Not a step of nothing: training would run to its end and learn nothing."""
    outer = PolicyGradient(2)
    state = outer.init({"x": jnp.zeros(3)})
    gradient = {"x": jnp.full((2, 3), jnp.nan)}
    found = Gradients(jnp.ones(2), gradient, jnp.ones(2), jnp.ones(2), jnp.int32(0))
    after = told(outer, state, found)
    assert not jnp.isfinite(after.params["x"]).any()


@pytest.mark.slow
def test_the_horizon_cuts_the_gradient_and_nothing_else():
    algorithm, environment = SymLA(hidden_size=4), Associations(2, 2)
    params = algorithm.init_params(jax.random.key(0), environment.spec)
    full, two, six = (
        evidence(PolicyGradient(1, horizon=horizon), algorithm, environment, params, 4, 6)
        for horizon in (0, 2, 6)
    )
    assert full.returns == two.returns == six.returns
    recurrent = [np.asarray(found.gradient.recurrent) for found in (full, two, six)]
    np.testing.assert_allclose(recurrent[0], recurrent[2], rtol=1e-5, atol=1e-8)
    assert not np.allclose(recurrent[0], recurrent[1])


def test_an_algorithm_without_a_derivative_is_refused():
    with pytest.raises(SettingError, match="evolution strategies"):
        evidence(PolicyGradient(1), Random(), Associations(2, 2), (), 2, 3)


@pytest.mark.slow
def test_symla_learns_to_tie_what_it_sees_to_what_it_does(tmp_path):
    """Evolution strategies of this budget earn nothing here: no action is better unseen."""
    outer = PolicyGradient(8, Optimiser(3e-3, clip=1.0), discount=0.0, entropy=0.0)
    training = Training(SymLA(), (Associations(2, 2),), outer, 8, 30, seed=0)
    run = RunFolder(tmp_path / "run")
    run.create({})
    train_rule(training, 200, run, {}, probe_every=50)
    rows = [row["return_mean"] for row in run.metrics()]
    assert np.mean(rows[:10]) < 3
    assert np.mean(rows[-10:]) > 15


@pytest.mark.parametrize(
    "settings",
    [
        {"population": 0},
        {"discount": 1.5},
        {"entropy": -1.0},
        {"horizon": -1},
    ],
)
def test_settings_outside_their_ranges_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        PolicyGradient(**settings)
