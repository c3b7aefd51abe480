"""The gradient against closed forms and another library; twins; no recompilation."""

import evosax.algorithms
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import rankdata

from symla.core.errors import SettingError
from symla.outer import EvolutionStrategies
from symla.outer.evolution_strategies import centered_ranks


def center(key):
    return {"a": jax.random.normal(key, (3, 4)), "b": jnp.zeros(5)}


def flat(params):
    return jax.flatten_util.ravel_pytree(params)[0]


def test_gradient_of_a_linear_return(key):
    """R = g . theta has gradient g; the estimate is the noise's own projection of it, exactly."""
    search = EvolutionStrategies(population=64, sigma=0.3, shaping="raw")
    state = search.init(center(key))
    candidates = search.ask(key, state)
    slope = jax.random.normal(jax.random.key(7), (17,))
    returns = jax.vmap(lambda p: jnp.dot(flat(p), slope))(candidates.params)
    noise = jax.vmap(flat)(candidates.extra.noise)
    exact = jnp.mean(noise * (noise @ slope)[:, None], axis=0)
    np.testing.assert_allclose(flat(search.gradient(candidates, returns)), exact, atol=1e-4)


def test_gradient_of_a_quadratic_return(key):
    """R = -|theta - c|^2 has gradient -2 (theta - c), with many pairs, whatever sigma."""
    search = EvolutionStrategies(population=20_000, sigma=0.5, shaping="raw")
    state = search.init(center(key))
    candidates = search.ask(key, state)
    returns = jax.vmap(lambda p: -jnp.sum((flat(p) - 1.0) ** 2))(candidates.params)
    gradient = flat(search.gradient(candidates, returns))
    exact = -2.0 * (flat(state.params) - 1.0)
    cosine = jnp.dot(gradient, exact) / jnp.linalg.norm(gradient) / jnp.linalg.norm(exact)
    assert cosine > 0.998
    np.testing.assert_allclose(jnp.linalg.norm(gradient), jnp.linalg.norm(exact), rtol=0.05)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_one_step_equals_evosax(key):
    """OpenES minimises: it is told the negative returns of the same candidates."""
    ours = EvolutionStrategies(population=32, sigma=0.2, learning_rate=0.05, shaping="raw")
    start = center(key)
    state = ours.init(start)
    candidates = ours.ask(key, state)
    returns = jax.vmap(lambda p: -jnp.sum(jnp.abs(flat(p) - 1.0)))(candidates.params)
    after = ours.tell(state, candidates, returns)

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        theirs = evosax.algorithms.Open_ES(
            population_size=32,
            solution=flat(start),
            optimizer=optax.adam(0.05),
            std_schedule=optax.constant_schedule(0.2),
            fitness_shaping_fn=lambda population, fitness, state, params: fitness,
        )
        params = theirs.default_params
        evosax_state = theirs.init(key, flat(start), params)
        population = jax.vmap(flat)(candidates.params)
        evosax_state, _ = theirs.tell(key, population, -returns, evosax_state, params)
    np.testing.assert_allclose(flat(after.params), evosax_state.mean, atol=1e-5)


def test_twins_mirror_each_other_and_share_a_group(key):
    search = EvolutionStrategies(population=10, sigma=0.1)
    state = search.init(center(key))
    candidates = search.ask(key, state)
    plus, minus = jnp.split(jax.vmap(flat)(candidates.params), 2)
    np.testing.assert_allclose((plus + minus) / 2, jnp.tile(flat(state.params), (5, 1)), atol=1e-6)
    assert candidates.group.tolist() == [0, 1, 2, 3, 4]


def test_noise_of_a_pair_does_not_depend_on_the_population(key):
    few, many = (EvolutionStrategies(population=p) for p in (4, 20))
    noise_few = few.ask(key, few.init(center(key))).extra.noise
    noise_many = many.ask(key, many.init(center(key))).extra.noise
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y[:2]), noise_few, noise_many)


def test_annealing_quarters_sigma_and_step(key):
    """Halfway a half, then a quarter, in the candidates' spread and in the step taken."""
    search = EvolutionStrategies(population=8, sigma=0.8, learning_rate=0.1, annealing=10)
    state = search.init({"x": jnp.zeros(3)})
    returns = jnp.arange(8.0)
    for generation, scale in ((0, 1.0), (5, 0.5), (10, 0.25), (99, 0.25)):
        now = state._replace(generation=jnp.asarray(generation, jnp.int32))
        candidates = search.ask(key, now)
        noise, sigma = candidates.extra
        assert sigma == pytest.approx(0.8 * scale)
        np.testing.assert_allclose(candidates.params["x"][:4], sigma * noise["x"], rtol=1e-6)
        after = search.tell(now, candidates, returns)
        # Adam's first step is the learning rate itself, in every direction.
        np.testing.assert_allclose(jnp.abs(after.params["x"]), 0.1 * scale, rtol=1e-3)


@pytest.mark.parametrize("shaping", ["ranks", "raw"])
def test_equal_returns_move_nothing(key, shaping):
    search = EvolutionStrategies(population=8, shaping=shaping)
    state = search.init(center(key))
    after = search.tell(state, search.ask(key, state), jnp.full(8, 3.0))
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)


def test_ranks_share_ties():
    returns = jnp.array([3.0, 1.0, 2.0, 2.0, -5.0])
    expected = (rankdata(returns) - 1) / 4 - 0.5
    np.testing.assert_allclose(centered_ranks(returns), expected, atol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"population": 7},
        {"population": 0},
        {"population": -2},
        {"sigma": 0.0},
        {"sigma": -1.0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"shaping": "rank"},
        {"annealing": -1},
    ],
)
def test_settings_outside_their_range_are_refused(wrong):
    with pytest.raises((SettingError, TypeError), match=next(iter(wrong))):
        EvolutionStrategies(**wrong)
