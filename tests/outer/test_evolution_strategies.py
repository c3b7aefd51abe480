"""The gradient against closed forms and another library; twins, groups and shaping."""

import evosax.algorithms
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import rankdata

from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.lifetimes.host import spec_of
from symla.lifetimes.resolve import make
from symla.outer import EvolutionStrategies
from symla.outer.evolution_strategies import centered_ranks
from symla.outer.returns import Returns, population_returns
from symla.rules.loading import hand_made
from symla.training.generation import Training


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
    ours = EvolutionStrategies(32, 0.2, Optimiser(0.05), shaping="raw")
    start = center(key)
    state = ours.init(start)
    candidates = ours.ask(key, state)
    returns = jax.vmap(lambda p: -jnp.sum(jnp.abs(flat(p) - 1.0)))(candidates.params)
    after = ours.tell(state, candidates, Returns(returns))

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


def test_sigma_decays_to_a_quarter(key):
    """Halfway a half, then a quarter, in what is added to the meta-parameters."""
    search = EvolutionStrategies(population=8, sigma=0.8, sigma_decay_steps=10)
    state = search.init({"x": jnp.zeros(3)})
    for generation, scale in ((0, 1.0), (5, 0.5), (10, 0.25), (99, 0.25)):
        candidates = search.ask(key, state._replace(generation=jnp.int32(generation)))
        noise, sigma = candidates.extra
        assert sigma == pytest.approx(0.8 * scale)
        np.testing.assert_allclose(candidates.params["x"][:4], sigma * noise["x"], rtol=1e-6)


def test_sigma_and_learning_rate_decay_apart(key):
    """Sigma counts generations, the learning rate the updates of the optimiser: both go on."""
    search = EvolutionStrategies(8, 0.1, Optimiser(0.1, decay_steps=4), sigma_decay_steps=2)
    tell = jax.jit(search.tell)
    state, moved, sigmas = search.init({"x": jnp.zeros(3)}), [], []
    fixed = search.ask(key, state)  # the same evidence always: Adam's step is the learning rate
    for _ in range(6):
        sigmas.append(float(search.ask(key, state).extra.sigma))
        after = tell(state, fixed, Returns(jnp.arange(8.0)))
        moved.append(np.abs(after.params["x"] - state.params["x"]))
        state = after
    np.testing.assert_allclose(sigmas, 0.1 * 0.25 ** (np.minimum(np.arange(6), 2) / 2), rtol=1e-5)
    expected = 0.1 * 0.25 ** (np.minimum(np.arange(6), 4) / 4)
    np.testing.assert_allclose(moved, np.tile(expected[:, None], 3), rtol=1e-3)


@pytest.mark.parametrize("shaping", ["ranks", "group-ranks", "raw"])
def test_equal_returns_move_nothing(key, shaping):
    search = EvolutionStrategies(population=8, shaping=shaping)
    state = search.init(center(key))
    after = search.tell(state, search.ask(key, state), Returns(jnp.full(8, 3.0)))
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)


def test_ranks_share_ties():
    returns = jnp.array([3.0, 1.0, 2.0, 2.0, -5.0])
    expected = (rankdata(returns) - 1) / 4 - 0.5
    np.testing.assert_allclose(centered_ranks(returns), expected, atol=1e-6)


def shaped_gradient(key, returns, **settings):
    """The gradient of a population with these returns."""
    search = EvolutionStrategies(returns.size, sigma=0.5, **settings)
    candidates = search.ask(key, search.init(center(key)))
    return flat(search.gradient(candidates, returns)), jax.vmap(flat)(candidates.extra.noise)


@pytest.mark.slow
@pytest.mark.parametrize("pairs_per_group", [1, 2, 6])
def test_group_ranks_do_not_depend_on_how_easy_the_tasks_of_a_group_are(key, pairs_per_group):
    """A constant for each group changes nothing; the ranks in a whole population it changes."""
    groups = 6 // pairs_per_group
    returns = jax.random.normal(jax.random.key(1), (12,))
    easier = returns + 10.0 * jnp.tile(jnp.arange(float(groups)), 2 * pairs_per_group)

    def gradient(returns, shaping):
        return shaped_gradient(key, returns, shaping=shaping, pairs_per_group=pairs_per_group)[0]

    np.testing.assert_array_equal(gradient(returns, "group-ranks"), gradient(easier, "group-ranks"))
    if groups > 1:
        assert not np.allclose(gradient(returns, "ranks"), gradient(easier, "ranks"), atol=1e-3)


def test_group_ranks_of_one_pair_are_the_sign_of_its_difference(key):
    returns = jnp.array([3.0, 1.0, 2.0, 5.0, 1.0, 1.0, 7.0, 5.0])  # plus, then minus
    gradient, noise = shaped_gradient(key, returns, shaping="group-ranks")
    expected = jnp.mean(jnp.array([1.0, 0.0, -1.0, 0.0])[:, None] * noise, axis=0) / (2 * 0.5)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_group_ranks_are_ranks_where_all_share_one_group(key):
    returns = jax.random.normal(jax.random.key(1), (12,))
    one_group, _ = shaped_gradient(key, returns, shaping="group-ranks", pairs_per_group=6)
    np.testing.assert_array_equal(one_group, shaped_gradient(key, returns, shaping="ranks")[0])


@pytest.mark.parametrize("shaping", ["ranks", "group-ranks", "raw"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_return_that_is_not_finite_leaves_out_its_pair(key, shaping, value):
    """The gradient is that of the other pairs, as if there were no more."""
    returns = jax.random.normal(jax.random.key(1), (12,)).at[2].set(value)  # of pair 2
    found, noise = shaped_gradient(key, returns, shaping=shaping)
    others = jnp.array([0, 1, 3, 4, 5])
    kept = jnp.concatenate([returns[others], returns[6 + others]])
    if shaping == "ranks":
        kept = centered_ranks(kept)
    plus, minus = jnp.split(kept, 2)
    weight = jnp.sign(plus - minus) if shaping == "group-ranks" else plus - minus
    expected = jnp.mean(weight[:, None] * noise[others], axis=0) / (2 * 0.5)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"population": 7},
        {"population": 0},
        {"population": -2},
        {"sigma": 0.0},
        {"sigma": -1.0},
        {"shaping": "rank"},
        {"sigma_decay_steps": -1},
        {"pairs_per_group": 0},
        {"pairs_per_group": 5},
    ],
)
def test_settings_outside_their_range_are_refused(wrong):
    with pytest.raises((SettingError, TypeError), match=next(iter(wrong))):
        EvolutionStrategies(**wrong)


def test_on_the_host_the_last_part_of_a_lifetime_counts_as_elsewhere():
    """`Counting` pays 1, 2, 3, and then begins anew: 1 2 3 1 2 3 1 2 in eight steps."""
    learner = hand_made("reinforce,units=(2,),interval=4,workers=1").algorithm
    world = make("tests.bridge.registered:Counting")
    params = jax.tree.map(
        lambda x: jnp.stack([x, x]), learner.init_params(jax.random.key(0), spec_of(world))
    )
    for counted, expected in ((1.0, 15.0), (0.5, 8.0)):
        outer = EvolutionStrategies(2, counted=counted)
        setting = Training(learner, (world,), outer, lifetimes=1, length=8, seed=0)
        asked = outer.ask(jax.random.key(1), outer.init(()))._replace(params=params)
        found = population_returns(setting, world, asked, jax.random.key(2))
        np.testing.assert_array_equal(found, [expected, expected])
