"""Tabular Q-learning: its equation, by hand; what it leaves out and refuses; that it learns."""

from collections import Counter
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import QLearning
from symla.algorithms.q_learning import QState
from symla.core.distributions import NOT_FINITE
from symla.core.errors import SettingError, SizeError
from symla.core.types import Continuous, Discrete, Percept, Spec
from symla.environments import Associations, Permuted
from symla.evaluation.evaluate import meta_test
from symla.rules.loading import hand_made
from tests.probes.environments import Corridor

SPEC = Spec(3, Discrete(2), one_hot=True)
ALGORITHM = QLearning(learning_rate=0.5, discount=0.9, epsilon=0.0)
TABLE = jnp.array([[1.0, 2.0], [3.0, -4.0], [0.0, 0.5]])
SEEN, LED_TO, UNKNOWN = jnp.eye(3)[1], jnp.eye(3)[2], jnp.full(3, jnp.nan)


def learned(terminated=False, truncated=False, final=LED_TO, observation=LED_TO, action=0):
    """The change of the table by an action in observation 0 that earned 10."""
    ends = jnp.array(terminated), jnp.array(truncated)
    percept = Percept(observation, jnp.eye(2)[action], jnp.array(10.0), *ends, final)
    state = QState(TABLE, jnp.zeros((), jnp.int32))
    after = ALGORITHM.step((), state, percept, jnp.ones((), jnp.int32), jax.random.key(0))[1]
    assert int(after.observation) == int(jnp.argmax(observation))
    return np.asarray(after.values - TABLE)


def only(row, column, change):
    """All zeros but one."""
    table = np.zeros((3, 2))
    table[row, column] = change
    return table


CASES = {
    "in an episode": ({}, only(0, 0, 0.5 * (10 + 0.9 * 0.5 - 1))),
    "another action": ({"action": 1}, only(0, 1, 0.5 * (10 + 0.9 * 0.5 - 2))),
    "terminated": ({"terminated": True, "observation": SEEN}, only(0, 0, 0.5 * (10 - 1))),
    "truncated: from what it led to, not from the first observation of the next episode": (
        {"truncated": True, "observation": SEEN},
        only(0, 0, 0.5 * (10 + 0.9 * 0.5 - 1)),
    ),
    "truncated, but nobody says where it led": (
        {"truncated": True, "observation": SEEN, "final": UNKNOWN},
        np.zeros((3, 2)),
    ),
    "terminated: where it led does not matter": (
        {"terminated": True, "observation": SEEN, "final": UNKNOWN},
        only(0, 0, 0.5 * (10 - 1)),
    ),
    "both": (
        {"terminated": True, "truncated": True, "observation": SEEN, "final": UNKNOWN},
        only(0, 0, 0.5 * (10 - 1)),
    ),
}


@pytest.mark.parametrize(("step", "change"), CASES.values(), ids=CASES)
def test_the_equation(step, change):
    np.testing.assert_allclose(learned(**step), change, atol=1e-6)


def test_the_first_step_of_a_lifetime_changes_nothing(key):
    no = jnp.zeros((), bool)
    percept = Percept(SEEN, jnp.zeros(2), jnp.zeros(()), no, no, SEEN)
    start = QLearning(initial_value=-2.5).init_state((), key, SPEC)
    _, after = ALGORITHM.step((), start, percept, jnp.zeros((), jnp.int32), key)
    np.testing.assert_array_equal(after.values, np.full((3, 2), -2.5))
    assert after.observation == 1


def actions(values, epsilon=0.0, decay=0.0, t=0, count=4000):
    """How often each is chosen."""
    algorithm = QLearning(epsilon=epsilon, epsilon_decay=decay)
    no, row = jnp.zeros((), bool), jnp.asarray(values)
    percept = Percept(jnp.ones(1), jnp.zeros(row.size), jnp.zeros(()), no, no, jnp.ones(1))
    state = QState(row[None], jnp.zeros((), jnp.int32))
    step = partial(algorithm.step, (), state, percept, jnp.asarray(t, jnp.int32))
    chosen = jax.jit(jax.vmap(lambda key: step(key)[0]))(jax.random.split(jax.random.key(1), count))
    counts = Counter(chosen.tolist())
    return [counts[i] / count for i in range(row.size)]


def test_the_best_action_is_taken_and_ties_are_broken_at_random():
    assert actions([1.0, 3.0, 2.0]) == [0, 1, 0]
    assert actions([3.0, 1.0, 3.0]) == [
        pytest.approx(0.5, abs=0.03),
        0,
        pytest.approx(0.5, abs=0.03),
    ]


@pytest.mark.parametrize(
    ("decay", "t", "epsilon"), [(0.0, 50, 0.3), (0.1, 0, 0.3), (0.1, 50, 0.05)]
)
def test_exploration_is_uniform_and_falls_with_the_age_of_the_lifetime(decay, t, epsilon):
    others = pytest.approx(epsilon / 3, abs=0.02)
    best = pytest.approx(1 - 2 * epsilon / 3, abs=0.02)
    assert actions([0.0, 9.0, 1.0], 0.3, decay, t) == [others, best, others]


def test_values_that_are_not_finite_are_no_action():
    algorithm, no = QLearning(), jnp.zeros((), bool)
    percept = Percept(jnp.ones(1), jnp.zeros(2), jnp.zeros(()), no, no, jnp.ones(1))
    state = QState(jnp.array([[jnp.nan, 1.0]]), jnp.zeros((), jnp.int32))
    action, _ = algorithm.step((), state, percept, jnp.zeros((), jnp.int32), jax.random.key(0))
    assert action == NOT_FINITE


def test_it_learns_a_corridor():
    """Six steps to the goal at best: a reward of 1/6 a step. Random play takes about 42."""
    result = meta_test(hand_made("q-learning"), Corridor(7), lifetimes=200, length=1000)
    assert result.last.reward.mean > 0.93 / 6
    assert result.first.reward.mean < result.last.reward.mean
    random = meta_test(hand_made("random"), Corridor(7), lifetimes=200, length=1000)
    assert random.last.reward.mean < 0.05
    assert result.learns(random) == "yes"


def test_it_learns_associations_in_any_order():
    result = meta_test(hand_made("q-learning"), Permuted(Associations()), 100, 500)
    assert result.last.reward.mean > 0.85  # the best earns 1, random actions 0


@pytest.mark.parametrize(
    "spec", [Spec(3, Discrete(2)), Spec(3, Continuous(2), one_hot=True)], ids=repr
)
def test_what_has_no_table_is_refused(spec, key):
    with pytest.raises(SizeError, match=r"one-hot observations .* Discrete actions"):
        QLearning().init_state((), key, spec)


def test_hearts_show_three_cells_at_once():
    with pytest.raises(SizeError, match="one-hot"):
        meta_test(hand_made("q-learning"), "hearts-2x2", 2, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0},
        {"learning_rate": 1.5},
        {"discount": -0.1},
        {"discount": 1.1},
        {"epsilon": 2.0},
        {"epsilon_decay": -1.0},
        {"epsilon_decay": float("inf")},
        {"initial_value": float("nan")},
    ],
    ids=repr,
)
def test_settings_outside_their_ranges_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        QLearning(**wrong)
