"""The hand-made algorithms reproduce the reference regrets, and the plan is optimal."""

import itertools
from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import BayesOptimal, Thompson
from symla.algorithms.bandit_algorithms import plan
from symla.core.distributions import NOT_FINITE
from symla.core.errors import SettingError, SizeError
from symla.core.types import Discrete, Spec
from symla.environments import make
from symla.evaluation.evaluate import meta_test
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import next_percept
from symla.rules.loading import hand_made

# Expected regret over 100 pulls: random, UCB1, Thompson, Bayes-optimal.
REFERENCE = {
    "bandit-uniform-dependent": (24.9, 6.00, 2.79, 1.21),
    "bandit-easy": (40, 6.33, 2.13, 0.63),
    "bandit-medium": (25, 7.03, 3.01, 1.02),
    "bandit-hard": (10, 6.01, 4.07, 2.28),
    "bandit-uniform-independent": (16.8, 5.61, 2.79, 1.75),
    "bandit-arms-5": (33.4, 17.3, 8.3, None),
    "bandit-arms-8": (38.9, 24.3, 11.9, None),
    "bandit-arms-10": (40.9, 27.5, 13.9, None),
    "bandit-arms-12": (42.2, 29.9, 15.5, None),
    "bandit-arms-20": (45.3, 36.5, 21.1, None),
    "bandit-arms-50": (48.1, 41.2, 33.5, None),
}
NAMES = ("random", "ucb1", "thompson", "bayes-optimal")
CASES = [
    pytest.param(
        environment,
        name,
        reference,
        marks=pytest.mark.slow if name == "thompson" else (),
    )
    for environment, row in REFERENCE.items()
    for name, reference in zip(NAMES, row)
    if reference is not None
]


@pytest.mark.parametrize(("environment", "name", "reference"), CASES)
def test_reference_regret(environment, name, reference):
    """Within three standard errors of ours and of theirs (20,000 tasks), and their rounding."""
    many_arms = environment.endswith(("-20", "-50"))
    lifetimes = 1000 if many_arms else 4000
    rule = hand_made(name, make(environment), 100)
    regret = meta_test(rule, environment, lifetimes).regret
    error = regret.ci95 / 1.96 * np.sqrt(1 + lifetimes / 20_000)
    rounding = 0.5 if reference == int(reference) else 0.05 if reference > 7.5 else 0.005
    assert regret.mean == pytest.approx(reference, abs=3 * error + rounding)


def test_plan_equals_brute_force():
    """Against the recursion written down directly, over all states of 6 pulls."""

    @cache
    def value(left, n0, s0, n1, s1):
        return max(pull(left, n0, s0, n1, s1)) if left else 0.0

    def pull(left, n0, s0, n1, s1):
        p0, p1 = (1 + s0) / (2 + n0), (1 + s1) / (2 + n1)
        first = p0 * (1 + value(left - 1, n0 + 1, s0 + 1, n1, s1))
        first += (1 - p0) * value(left - 1, n0 + 1, s0, n1, s1)
        second = p1 * (1 + value(left - 1, n0, s0, n1 + 1, s1 + 1))
        second += (1 - p1) * value(left - 1, n0, s0, n1 + 1, s1)
        return first, second

    horizon = 6
    arms, start = map(np.asarray, plan(horizon))
    for n0, n1 in itertools.product(range(horizon), repeat=2):
        if n0 + n1 >= horizon:
            continue
        for s0, s1 in itertools.product(range(n0 + 1), range(n1 + 1)):
            first, second = pull(horizon - n0 - n1, n0, s0, n1, s1)
            if abs(first - second) > 1e-12:
                assert arms[start[n0, n1] + s0 * (n1 + 1) + s1] == (second > first)


def test_bayes_optimal_is_for_two_arms_and_short_lifetimes(key):
    with pytest.raises(SizeError, match="two arms"):
        BayesOptimal().init_state((), key, Spec(1, Discrete(3)))
    with pytest.raises(SettingError, match="between 1 and 200"):
        BayesOptimal(horizon=201)


def test_thompson_has_no_action_where_nothing_can_be_drawn(key):
    """After rewards below 0, as of hearts; never the same arm for ever."""
    algorithm, spec = Thompson(), make("bandit-arms-3").spec
    never = jnp.asarray(False)
    state, action = algorithm.init_state((), key, spec), jnp.asarray(0)
    for t, reward in enumerate((0.0, -1.0, -1.0)):
        observation = jnp.ones(spec.observation_size)
        percept = next_percept(
            observation, action, jnp.float32(reward), never, never, observation, spec
        )
        action, state = algorithm.step((), state, percept, jnp.asarray(t), key)
        action = jnp.where(action < 0, action, 0)
    assert action == NOT_FINITE


def test_settings_of_bayes_optimal_play_are_kept():
    assert hand_made("bayes-optimal,horizon=5").algorithm == BayesOptimal(5)
    dependent = make("bandit-uniform-dependent")
    assert hand_made("bayes-optimal", dependent, 300).algorithm == BayesOptimal(100, dependent=True)


def test_ucb1_pulls_each_arm_first(key):
    bandit = make("bandit-arms-7")
    _, _, transitions = lifetime(hand_made("ucb1").algorithm, bandit, (), key, 7)
    assert sorted(transitions.action.tolist()) == list(range(7))
