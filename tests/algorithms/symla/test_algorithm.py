"""SymLA's exact symmetries, its factored formulation, and its sizes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symla.algorithms import MetaRNN, SymLA
from symla.algorithms.symla.algorithm import Layer
from symla.core.distributions import Categorical
from symla.core.errors import SettingError
from symla.core.networks import LSTM, linear, lstm
from symla.core.types import Discrete, Percept, Spec
from symla.environments import Permuted
from symla.lifetimes.lifetime import lifetime
from tests.probes.environments import Contextual

WIDTHS = ((), (3,), (4, 2))  # K = 1, 2, 3


def large_params(algorithm, seed, spec=None):
    """Meta-parameters large enough that messages and logits are far from zero."""
    params = algorithm.init_params(jax.random.key(seed), spec or Spec(1, Discrete(1)))
    return jax.tree.map(lambda x: 3.0 * x, params)


def random_percepts(seed, steps, A, B):
    keys = jax.random.split(jax.random.key(seed), 4)
    observation = jax.random.normal(keys[0], (steps, A))
    return Percept(
        observation=observation,
        action=jax.nn.one_hot(jax.random.randint(keys[1], (steps,), 0, B), B),
        reward=jax.random.normal(keys[2], (steps,)),
        terminated=jax.random.bernoulli(keys[3], 0.3, (steps,)),
        truncated=jnp.zeros(steps, bool),
        final_observation=observation,
    )


def logits_over(algorithm, params, percepts, A, B):
    """The logits of every step, [steps, B]."""
    state = algorithm.init_state(params, jax.random.key(0), Spec(A, Discrete(B)))

    def step(state, percept):
        policy, state = algorithm.update(params, state, percept)
        return state, policy.logits

    return np.asarray(jax.lax.scan(step, state, percepts)[1])


sizes = st.integers(1, 6)


@settings(max_examples=6)
@given(A=sizes, B=sizes, widths=st.sampled_from(WIDTHS), seed=st.integers(0, 99), data=st.data())
def test_permuting_observations_and_actions_permutes_logits(A, B, widths, seed, data):
    """... and changes nothing else: not one logit beyond float32 rounding."""
    aggregation = data.draw(st.sampled_from(["mean", "sum"]))
    algorithm = SymLA(hidden_size=5, message_size=3, widths=widths, aggregation=aggregation)
    observations = jnp.array(data.draw(st.permutations(range(A))))
    actions = jnp.array(data.draw(st.permutations(range(B))))
    params, percepts = large_params(algorithm, seed), random_percepts(seed, 6, A, B)
    if aggregation == "sum":  # with large sums, rounding errors grow 17-fold a step
        params = jax.tree.map(lambda x: x / 6.0, params)
    shuffled = percepts._replace(
        observation=percepts.observation[:, observations], action=percepts.action[:, actions]
    )
    plain = logits_over(algorithm, params, percepts, A, B)
    permuted = logits_over(algorithm, params, shuffled, A, B)
    np.testing.assert_allclose(permuted, plain[:, actions], rtol=1e-5, atol=2e-5)


def test_the_permutation_test_can_fail():
    """MetaRNN does not pass it."""
    algorithm, spec = MetaRNN(hidden_size=5), Spec(3, Discrete(3))
    params, percepts = large_params(algorithm, 0, spec), random_percepts(0, 6, 3, 3)
    order = jnp.array([2, 0, 1])
    shuffled = percepts._replace(
        observation=percepts.observation[:, order], action=percepts.action[:, order]
    )
    plain = logits_over(algorithm, params, percepts, 3, 3)
    permuted = logits_over(algorithm, params, shuffled, 3, 3)
    assert np.abs(permuted - plain[:, order]).max() > 0.05


@dataclass(frozen=True)
class _Matched:
    """A learner whose action noise belongs to the meaning of an action, not to its index."""

    algorithm: SymLA
    actions: tuple[int, ...]

    def init_params(self, key, spec):
        return self.algorithm.init_params(key, spec)

    def init_state(self, params, key, spec):
        return self.algorithm.init_state(params, key, spec)

    def step(self, params, state, percept, t, key):
        policy, state = self.algorithm.update(params, state, percept)
        index_of = jnp.argsort(jnp.array(self.actions))
        plain = Categorical(policy.logits[index_of])
        return index_of[plain.sample(key)].astype(jnp.int32), state


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize(
    ("observations", "actions"), [((2, 0, 1), (1, 0)), ((1, 2, 0), (3, 0, 2, 1))]
)
def test_whole_lifetimes_are_the_same_in_any_order(widths, observations, actions, key):
    """With matched random numbers: the same rewards, and the same actions up to their order."""
    A, B, length = len(observations), len(actions), 60
    algorithm = SymLA(hidden_size=8, message_size=4, widths=widths)
    params, plain = large_params(algorithm, 1), Contextual(A, B, episode_length=20)
    permuted = Permuted(plain, observations, actions)
    unpermuted = _Matched(algorithm, tuple(range(B)))
    _, _, before = lifetime(unpermuted, plain, params, key, length)
    _, _, after = lifetime(_Matched(algorithm, actions), permuted, params, key, length)
    assert jnp.unique(before.action).size > 1  # or the test would show nothing
    np.testing.assert_array_equal(jnp.array(actions)[after.action], before.action)
    np.testing.assert_allclose(after.reward, before.reward, rtol=1e-6)


@settings(max_examples=6)
@given(
    A=st.integers(1, 12),
    B=st.integers(1, 12),
    widths=st.lists(st.integers(1, 5), max_size=3).map(tuple),
)
def test_the_same_meta_parameters_run_on_any_size(A, B, widths):
    small, large = SymLA(hidden_size=4), SymLA(hidden_size=4, widths=widths)
    params = large_params(small, 0, Spec(1, Discrete(2)))
    logits = logits_over(large, params, random_percepts(0, 3, A, B), A, B)
    assert logits.shape == (3, B)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(("hidden_size", "count"), [(16, 2_640), (64, 22_800)])
def test_number_of_meta_parameters(hidden_size, count, key):
    params = SymLA(hidden_size=hidden_size).init_params(key, Spec(1, Discrete(2)))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def concatenated_update(algorithm, params, layer, percept):
    """Eqs. 6 to 9 as they stand: a whole LSTM for each weight, its inputs concatenated."""
    cell = LSTM(
        jnp.concatenate([params.below, params.above, params.shared]), params.recurrent, params.bias
    )
    hidden, memory = layer.hidden, layer.cell
    A, B, _ = hidden.shape
    for _ in range(algorithm.micro_ticks):
        for a in range(A):
            for b in range(B):
                x = jnp.concatenate(
                    [
                        layer.backward[a],
                        percept.observation[a, None],
                        layer.forward[b],
                        percept.action[b, None],
                        jnp.stack([percept.reward, percept.done]),
                    ]
                )
                h, c = lstm(cell, hidden[a, b], memory[a, b], x)
                hidden, memory = hidden.at[a, b].set(h), memory.at[a, b].set(c)
    gather = jnp.mean if algorithm.aggregation == "mean" else jnp.sum

    def messages(weights):  # [A, B, M]
        every = [linear(weights, hidden[a, b]) for a in range(A) for b in range(B)]
        return jnp.stack(every).reshape(A, B, -1)

    forward = gather(messages(params.forward), axis=0)
    backward = gather(messages(params.backward), axis=1)
    return Layer(hidden, memory, forward, backward)


@pytest.mark.parametrize("aggregation", ["mean", "sum"])
@pytest.mark.parametrize(("A", "B", "ticks"), [(1, 2, 1), (3, 2, 2), (2, 4, 3)])
def test_factored_equals_concatenated(A, B, ticks, aggregation):
    algorithm = SymLA(
        hidden_size=6, message_size=3, micro_ticks=ticks, aggregation=aggregation, initial_std=1.0
    )
    params = jax.tree.map(lambda x: x / 2, large_params(algorithm, 3))
    params = params._replace(forward=params.forward._replace(bias=jnp.arange(3.0)))
    state = algorithm.init_state(params, jax.random.key(1), Spec(A, Discrete(B)))
    layer = state.layers[0]
    percepts = random_percepts(5, 3, A, B)
    for i in range(3):
        percept = jax.tree.map(lambda x, i=i: x[i], percepts)
        policy, state = algorithm.update(params, state, percept)
        factored = state.layers[0]
        layer = concatenated_update(algorithm, params, layer, percept)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), factored, layer)
        np.testing.assert_allclose(policy.logits, layer.forward[:, 0], atol=1e-5)


def test_initial_state_is_zero_or_independent_normal(key):
    params = SymLA().init_params(key, Spec(1, Discrete(1)))
    zero = SymLA().init_state(params, key, Spec(2, Discrete(3)))
    assert all(not jnp.any(leaf) for leaf in jax.tree.leaves(zero))
    layer = SymLA(initial_std=0.5).init_state(params, key, Spec(20, Discrete(30))).layers[0]
    for state in (layer.hidden, layer.cell):
        np.testing.assert_allclose(jnp.std(state), 0.5, rtol=0.05)
    assert not jnp.any(layer.forward)


def test_deeper_layers_depend_on_the_observation_and_the_reward(key):
    """Through K = 3 layers, within one step."""
    algorithm = SymLA(hidden_size=4, widths=(3, 3))
    params, percepts = large_params(algorithm, 0), random_percepts(0, 1, 2, 2)
    base = logits_over(algorithm, params, percepts, 2, 2)
    for changed in (
        percepts._replace(observation=percepts.observation + 1.0),
        percepts._replace(reward=percepts.reward + 1.0),
        percepts._replace(terminated=~percepts.terminated),
        percepts._replace(action=1.0 - percepts.action),
    ):
        assert np.abs(logits_over(algorithm, params, changed, 2, 2) - base).max() > 1e-4


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_size": 0},
        {"message_size": 0},
        {"micro_ticks": 0},
        {"widths": (3, 0)},
        {"aggregation": "max"},
        {"initial_std": -1.0},
    ],
)
def test_settings_outside_their_range_are_refused(wrong):
    with pytest.raises((SettingError, TypeError), match=next(iter(wrong))):
        SymLA(**wrong)
