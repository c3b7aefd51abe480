"""A program with 64-bit jax on gets the float32 results of one without, and keeps its setting."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

import symla
from symla.algorithms import ALGORITHMS
from symla.core.precision import as_outside, in_float32
from symla.core.types import Discrete, Spec
from symla.environments import ENVIRONMENTS, Permuted, make
from symla.evaluation.evaluate import meta_test
from symla.lifetimes.percepts import new_percept
from tests.training.test_loop import MANIFEST, new_run, tiny, train_rule


@pytest.fixture
def x64():
    """Call it to turn 64-bit jax on; it is off again afterwards."""
    yield partial(jax.config.update, "jax_enable_x64", True)
    jax.config.update("jax_enable_x64", False)


def same(one, other):
    leaves = jax.tree.leaves((one, other))
    assert not any(str(getattr(leaf, "dtype", "")).endswith("64") for leaf in leaves)
    return jax.tree.all(jax.tree.map(np.array_equal, one, other))


@pytest.mark.parametrize(
    ("rule", "environment", "lifetimes"),
    [
        ("bandits", "bandit-arms-5", 6),
        ("thompson", "bandit-arms-5", 6),
        ("random", "gymnax:CartPole-v1", 2),
        ("random", Permuted(make("hearts")), 2),
        ("random", "gymnasium:CartPole-v1", 2),
    ],
    ids=str,
)
def test_a_test_gives_the_same(x64, rule, environment, lifetimes):
    before = meta_test(symla.load(rule), environment, lifetimes, 10)
    loaded = symla.load(rule)
    x64()
    assert meta_test(loaded, environment, lifetimes, 10) == before
    assert meta_test(symla.load(rule), environment, lifetimes, 10) == before
    assert jnp.ones(1).dtype == jnp.float64


@pytest.mark.slow
def test_a_training_gives_the_same_and_calls_back_as_the_program_is(x64, tmp_path):
    seen, rules = [], []

    def watch(progress):
        seen.append(jnp.ones(1).dtype)

    for on in (False, True):
        if on:
            x64()
        run = new_run(tmp_path / str(on))
        rules.append(train_rule(tiny(), 2, run, MANIFEST, watch=watch)[0])
        assert same(symla.load(run.path).params, rules[0].params)
    assert same(rules[0].params, rules[1].params)
    assert set(seen[:1]) == {jnp.dtype("float32")}
    assert set(seen[-1:]) == {jnp.dtype("float64")}


def test_within_what_is_called_back_symla_may_be_called_again(x64):
    x64()
    seen = []

    @in_float32
    def ours(callback):
        seen.append(jnp.ones(1).dtype)
        callback()

    def theirs():
        seen.append(jnp.ones(1).dtype)

    @in_float32
    def outer():
        ours(as_outside(theirs))
        ours(as_outside(lambda: ours(as_outside(theirs))))

    outer()
    assert [dtype.itemsize for dtype in seen] == [4, 8, 4, 4, 8]
    assert jnp.ones(1).dtype == jnp.float64


def test_an_agent_made_before_acts_the_same(x64):
    rule, two = symla.load("bandits"), (spaces.Box(-1, 1, (1,)), spaces.Discrete(3))

    def live(steps, agent):
        return [step(agent, t) for t in steps]

    def step(agent, t):
        action = agent.act(np.ones(1))
        agent.observe(float(action == 1), t % 4 == 3, False)
        return action

    before, agent = live(range(20), rule.agent(two)), rule.agent(two)
    assert live(range(10), agent) == before[:10]
    x64()
    assert live(range(10, 20), agent) == before[10:]
    assert live(range(20), symla.load("bandits").agent(two)) == before


def test_a_rule_stepped_by_hand_within_a_program_of_64_bits(x64):
    rule, spec, key = symla.load("bandits"), Spec(1, Discrete(3)), jax.random.key(0)

    def lifetime():
        state, percept = rule.init_state(key, spec), new_percept(jnp.ones(1), spec)

        def step(state, t):
            action, state = rule.step(state, percept, t, jax.random.fold_in(key, t))
            return state, action

        return jax.lax.scan(step, state, jnp.arange(5))

    before = lifetime()
    x64()
    assert new_percept(jnp.ones(1), spec).reward.dtype == jnp.float64
    assert same(lifetime(), before)
    assert same(jax.jit(lifetime)(), before)


@pytest.mark.parametrize("name", ["bandit-easy", "associations", "pendulum", "hearts"])
def test_an_environment_stepped_by_hand(x64, name):
    environment = ENVIRONMENTS[name]

    def play():
        key = jax.random.key(0)
        task = environment.sample_task(key)
        state, first = environment.reset(key, task)
        action = jnp.ones(1) if name == "pendulum" else jnp.ones((), int)
        return task, first, environment.step(key, task, state, action)

    before = play()
    x64()
    assert same(play(), before)


@pytest.mark.parametrize("name", ["meta-rnn", "bayes-optimal"])
def test_an_algorithm_called_by_hand(x64, name):
    algorithm, spec = ALGORITHMS[name](), Spec(1, Discrete(2))

    def play():
        key, percept = jax.random.key(0), new_percept(jnp.ones(1), spec)
        params = algorithm.init_params(key, spec)
        state = algorithm.init_state(params, key, spec)
        return params, algorithm.step(params, state, percept, jnp.asarray(0), key)

    before = play()
    x64()
    assert same(play(), before)
