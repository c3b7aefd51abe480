"""PPO over lifetimes: its gradient and advantages against closed forms, and its bits."""

import inspect
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from symla.algorithms import MetaRNN, Random, SymLA
from symla.algorithms.parts.linear_baseline import fitted
from symla.bridge.pool import keep_pools
from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.environments import LinearSystem, PointNavigation
from symla.experiments.probe import Probe
from symla.lifetimes.perceived import perceived_lifetime
from symla.lifetimes.percepts import lifetime_keys
from symla.lifetimes.resolve import make
from symla.outer import LifetimePPO
from symla.outer.lifetime_ppo import LivedBefore, features
from symla.runtime.devices import replicate, use_devices
from symla.store import RunFolder
from symla.testing.tracing import QUICKLY
from symla.training.generation import Training, generation, host_generation, init
from symla.training.loop import train_rule
from tests.probes.algorithms import Logits
from tests.probes.environments import Corridor

KEY = jax.random.key(1)
LEARNER = MetaRNN(3)
WORLD = PointNavigation(episode_length=4)
OUTER = LifetimePPO(4, Optimiser(0.01, clip=1.0), update_epochs=2, minibatches=2)
TRAINING = Training(LEARNER, (WORLD,), OUTER, lifetimes=2, length=8, seed=0)


def lived(learner, world, lifetimes, length):
    """The lifetimes of one candidate, its meta-parameters, and the data of their keys."""
    keys = jax.random.split(KEY, lifetimes)

    @partial(jax.jit, compiler_options=QUICKLY)
    def live(keys):
        params = jax.tree.map(lambda x: 2 * x, learner.init_params(KEY, world.spec))
        one = perceived_lifetime(learner, world, length)
        return params, jax.vmap(partial(one, params))(keys)

    return *live(keys), jax.random.key_data(keys)


@pytest.fixture(scope="module")
def seen():
    """With probabilities and advantages of which some are clipped, on both sides."""
    params, perceived, key = lived(LEARNER, WORLD, 3, 8)
    steps = OUTER.steps(LEARNER, WORLD.spec, params, key, perceived)
    drawn = np.random.default_rng(0)
    before = steps.log_probability + jnp.asarray(drawn.normal(0, 0.3, (3, 8)), jnp.float32)
    advantage = jnp.asarray(drawn.normal(size=(3, 8)), jnp.float32)
    return params, LivedBefore(key, perceived, before, advantage)


def wide(tree):
    return jax.tree.map(lambda x: x.astype(np.float64) if x.dtype == np.float32 else x, tree)


@pytest.mark.slow
def test_the_gradient_is_that_of_the_clipped_objective_by_finite_differences(seen, monkeypatch):
    """In float64, through whole lifetimes, on fixed ones."""
    for method in ("init_state", "update"):  # which would be in float32
        monkeypatch.setattr(MetaRNN, method, inspect.unwrap(getattr(MetaRNN, method)))
    params, before = seen
    outer = replace(OUTER, entropy=0.1)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        flat, unravel = ravel_pytree(wide(jax.device_get(params)))
        before = jax.tree.map(jnp.asarray, wide(jax.device_get(before)))

        @jax.jit
        def objective(flat):
            return outer.objective(LEARNER, WORLD.spec, unravel(flat), before)

        gradient = np.asarray(jax.grad(objective)(flat))
        step = 1e-6
        each = jnp.eye(flat.size) * step
        found = [(objective(flat + e) - objective(flat - e)) / (2 * step) for e in each]
    assert gradient.dtype == np.float64
    assert np.abs(gradient).max() > 1e-2
    np.testing.assert_allclose(gradient, found, rtol=1e-5, atol=1e-8)


def test_the_objective_is_that_of_ppo(seen):
    params, before = seen
    steps = OUTER.steps(LEARNER, WORLD.spec, params, before.key, before.seen)
    ratio = np.exp(np.asarray(steps.log_probability - before.log_probability))
    A = np.asarray(before.advantage)
    expected = np.where(A > 0, np.minimum(ratio, 1.2) * A, np.maximum(ratio, 0.8) * A).mean()
    expected += OUTER.entropy * float(steps.entropy.mean())
    assert ((ratio > 1.2) & (A > 0)).any()
    assert ((ratio < 0.8) & (A < 0)).any()
    found = OUTER.objective(LEARNER, WORLD.spec, params, before)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_learning_again_is_acting_again(seen):
    """The probabilities of the actions are those with which they were sampled: the learner's state
    is the same at every step, also past the ends of episodes."""
    params, before = seen
    again = OUTER.steps(LEARNER, WORLD.spec, params, before.key, before.seen)
    key = jax.random.wrap_key_data(before.key[0])
    state = LEARNER.init_state(params, lifetime_keys(key).learner, WORLD.spec)
    for t in range(8):
        percept = jax.tree.map(lambda x, t=t: x[0, t], before.seen.percept)
        policy, state = LEARNER.update(params, state, percept)
        found = policy.log_probability(before.seen.action[0, t])
        np.testing.assert_allclose(again.log_probability[0, t], found, atol=1e-4)
        action = policy.sample(jax.random.fold_in(lifetime_keys(key).action, t))
        np.testing.assert_allclose(action, before.seen.action[0, t], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("trace", [0.8, 1.0])
def test_advantages_are_of_whole_lifetimes_and_normalised(seen, trace):
    """Past the ends of episodes, which come every 4 steps, and with nothing after the lifetime."""
    perceived = seen[1].seen
    outer = replace(OUTER, trace=trace, discount=0.9)
    reward, returns = np.asarray(perceived.reward), np.zeros((3, 9))
    for t in reversed(range(8)):
        returns[:, t] = reward[:, t] + 0.9 * returns[:, t + 1]
    value = np.zeros((3, 9))
    value[:, :8] = fitted(features(perceived), jnp.asarray(returns[:, :8].T, jnp.float32)).T
    expected = np.zeros((3, 9))
    for t in reversed(range(8)):
        delta = reward[:, t] + 0.9 * value[:, t + 1] - value[:, t]
        expected[:, t] = delta + 0.9 * trace * expected[:, t + 1]
    expected = expected[:, :8]
    expected = (expected - expected.mean()) / expected.std(ddof=1)
    found = outer.advantages(jax.tree.map(lambda x: x[None], perceived))[0]
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_episodic_advantages_end_with_the_episode(seen):
    """Nothing counts after a termination; a step that was truncated says nothing, and one of which
    both is told was a termination."""
    perceived = seen[1].seen
    at = np.arange(8)
    terminated = np.tile(at == 2, (3, 1))
    truncated = np.tile((at == 5) | (at == 2), (3, 1))
    perceived = perceived._replace(
        terminated=jnp.asarray(terminated), truncated=jnp.asarray(truncated)
    )
    outer = replace(OUTER, trace=0.8, discount=0.9, episodic=True)
    reward, returns = np.asarray(perceived.reward), np.zeros((3, 9))
    ends = {2: "terminated", 5: "truncated"}  # the steps that did so
    for t in reversed(range(8)):
        returns[:, t] = reward[:, t] + (0.0 if t in ends else 0.9) * returns[:, t + 1]
    value = np.zeros((3, 9))
    value[:, :8] = fitted(features(perceived), jnp.asarray(returns[:, :8].T, jnp.float32)).T
    expected = np.zeros((3, 9))
    for t in reversed(range(8)):
        after = 0.0 if t == 2 else 0.9 * value[:, t + 1]
        delta = 0.0 if t == 5 else reward[:, t] + after - value[:, t]
        expected[:, t] = delta + (0.0 if t in ends else 0.9 * 0.8 * expected[:, t + 1])
    expected = expected[:, :8]
    known = np.delete(expected, 5, axis=1)
    expected = (expected - known.mean()) / known.std(ddof=1)
    expected[:, 5] = 0.0
    found = outer.advantages(jax.tree.map(lambda x: x[None], perceived))[0]
    np.testing.assert_allclose(found, expected, atol=1e-2)
    whole = replace(outer, episodic=False).advantages(jax.tree.map(lambda x: x[None], perceived))
    assert np.abs(np.asarray(whole[0]) - expected).max() > 0.1


def test_an_episodic_return_is_the_mean_of_episodes():
    """In training and where the checkpoint is chosen: CartPole's is 1 in every step."""
    world = make("gymnax:CartPole-v1")
    params, perceived, key = lived(LEARNER, world, 2, 40)
    falls = np.asarray(perceived.terminated).sum(axis=1)
    assert falls.min() > 0
    told = np.asarray(perceived.percept.terminated)[:, 1:]  # by the percept after
    np.testing.assert_array_equal(perceived.terminated[:, :-1], told)
    outer = replace(OUTER, population=1, minibatches=1, update_epochs=1, episodic=True)
    one = jax.tree.map(lambda x: x[None], (key, perceived))
    found = jax.jit(
        lambda lived: outer.learned(LEARNER, world.spec, outer.init(params), lived, KEY).returns
    )(one)
    np.testing.assert_allclose(found, [np.mean(40 / falls)], rtol=1e-5)
    whole = Probe((world,), 40, 0).random[0]
    assert (whole == 40).all()
    assert (Probe((world,), 40, 0, episodic=True).random[0] < 40).any()


def test_an_episode_that_ends_with_the_lifetime_is_counted(seen):
    """Two episodes of four steps, in lifetimes of eight."""
    key, perceived = seen[1].key, seen[1].seen
    np.testing.assert_array_equal(perceived.truncated[0], np.arange(8) % 4 == 3)
    assert not np.asarray(perceived.terminated).any()
    outer = replace(OUTER, population=1, minibatches=1, update_epochs=1, episodic=True)
    lived = jax.tree.map(lambda x: x[None], (key, perceived))
    state = outer.init(seen[0])
    found = jax.jit(lambda: outer.learned(LEARNER, WORLD.spec, state, lived, KEY).returns)()
    whole = np.asarray(perceived.reward).sum(axis=1).mean()
    np.testing.assert_allclose(found, [whole / 2], rtol=1e-5)


@pytest.mark.slow
def test_a_lifetime_that_is_not_finite_says_nothing_of_the_others(seen):
    perceived = jax.tree.map(lambda x: x[None], seen[1].seen)
    doubled = jax.tree.map(lambda x: jnp.concatenate([x, x], axis=1), perceived)
    broken = doubled._replace(reward=doubled.reward.at[0, 3:].set(jnp.nan))
    found = np.asarray(OUTER.advantages(broken)[0])
    np.testing.assert_array_equal(found[3:], 0.0)
    np.testing.assert_allclose(found[:3], OUTER.advantages(perceived)[0], atol=0.05)


@pytest.mark.slow
def test_first_steps_of_a_pass_are_of_the_policy_gradient():
    """Before the first step all ratios are 1: the gradient is that of log pi A."""
    params, perceived, key = lived(LEARNER, WORLD, 3, 8)
    steps = partial(OUTER.steps, LEARNER, WORLD.spec, key=key, seen=perceived)
    advantage = jnp.asarray(np.random.default_rng(0).normal(size=(3, 8)), jnp.float32)
    before = LivedBefore(key, perceived, steps(params).log_probability, advantage)
    outer = replace(OUTER, entropy=0.0)
    found = jax.grad(partial(outer.objective, LEARNER, WORLD.spec))(params, before)
    expected = jax.grad(lambda p: jnp.mean(steps(p).log_probability * advantage))(params)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-5), found, expected)


@pytest.mark.slow
def test_the_horizon_cuts_the_gradient():
    params, perceived, key = lived(LEARNER, WORLD, 2, 8)
    ones = jnp.ones((2, 8))
    found = []
    for horizon in (0, 2, 8):
        outer = replace(OUTER, horizon=horizon)
        before = outer.steps(LEARNER, WORLD.spec, params, key, perceived).log_probability
        own = LivedBefore(key, perceived, before, ones)
        gradient = jax.grad(partial(outer.objective, LEARNER, WORLD.spec))(params, own)
        found.append(np.asarray(gradient.lstm.recurrent))
    np.testing.assert_allclose(found[0], found[2], rtol=1e-5, atol=1e-8)
    assert not np.allclose(found[0], found[1])


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 4])
def test_the_number_of_devices_changes_no_bit(devices):
    if jax.device_count() < devices:
        pytest.skip(f"needs {devices} devices")
    worlds = LinearSystem(2, 2, episode_length=4), WORLD
    training = replace(TRAINING, environments=worlds)

    def run(count):
        with use_devices(jax.devices()[:count]):
            step = jax.jit(partial(generation, training))
            state = replicate(init(training))
            for number in range(4):
                state, _ = step(replicate(KEY), state, replicate(jnp.int32(number)))
            return jax.device_get(state)

    jax.tree.map(np.testing.assert_array_equal, run(1), run(devices))


@pytest.mark.slow
def test_a_training_that_goes_on_has_the_bits_of_a_whole_one(tmp_path):
    states = []
    for counts in ((4,), (1, 4)):
        run = RunFolder(tmp_path / str(len(counts)))
        run.create({})
        for count in counts:
            rule, done = train_rule(TRAINING, count, run, {})
            assert done == count
        states.append(rule.params)
    jax.tree.map(np.testing.assert_array_equal, *states)


@pytest.mark.slow
def test_it_learns_on_the_host_what_it_learns_in_jax():
    """Of the same environment, the same meta-parameters but for rounding."""
    here, there = (
        replace(TRAINING, algorithm=Logits(), environments=(world,), length=6)
        for world in (Corridor(), make("tests.bridge.registered:Corridor"))
    )
    states = [init(here), init(there)]
    step = jax.jit(partial(generation, here), compiler_options=QUICKLY)
    with keep_pools():
        for number in range(2):
            states[0], _ = step(KEY, states[0], jnp.int32(number))
            states[1], metrics = host_generation(there, KEY, states[1], number)
    assert metrics.finite
    found = [state.outer.params for state in states]
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)
    assert np.abs(found[0]).max() > 1e-3


def test_algorithms_without_a_derivative_are_refused():
    with pytest.raises(SettingError, match="evolution strategies"):
        replace(TRAINING, algorithm=Random())
    assert replace(TRAINING, algorithm=SymLA()).algorithm == SymLA()


@pytest.mark.parametrize(
    "settings",
    [
        {"population": 0},
        {"population": 6, "minibatches": 4},
        {"update_epochs": 0},
        {"ratio": 1.0},
        {"trace": 1.5},
        {"discount": -0.1},
        {"entropy": -1.0},
        {"horizon": -1},
    ],
    ids=str,
)
def test_settings_outside_ranges_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        LifetimePPO(**settings)
