"""With the same randomness, SymLA earns exactly the same in another order; a black box does not."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from symla.algorithms import MetaRNN, SymLA
from symla.environments import Permuted
from symla.evaluation.lifetime_sums import live
from symla.experiments.symla.figure5 import (
    REVERSED,
    TASKS,
    SampledInOrder,
    _adding_in_order_of_size,
    reversed_with_same_randomness,
)
from symla.rules.rule import Rule

LIFETIMES, LENGTH = 16, 60


def rule_of(algorithm, task):
    """Meta-parameters with which the policy is far from uniform."""
    params = algorithm.init_params(jax.random.key(1), TASKS[task].spec)
    return Rule(algorithm, jax.tree.map(lambda x: 3.0 * x, params))


def rewards(rule, environment):
    return live(rule, environment, LIFETIMES, LENGTH, seed=0).reward


@pytest.mark.slow
@pytest.mark.parametrize("task", ["cartpole", "acrobot"])
def test_symla_earns_exactly_the_same_in_reverse(task):
    rule = _adding_in_order_of_size(rule_of(SymLA(hidden_size=4), task))
    plain = rewards(rule, TASKS[task])
    (same,), environment = reversed_with_same_randomness([rule], task)
    np.testing.assert_array_equal(rewards(same, environment), plain)
    if task == "cartpole":  # else it would show nothing: no pole fell, or all lifetimes are alike
        assert np.unique(plain.sum(axis=1)).size > 2
        other = rewards(rule, environment)  # its own order of sampling: other actions
        assert (other.sum(axis=1) != plain.sum(axis=1)).any()


def test_a_black_box_does_not():
    rule, (observations, actions) = rule_of(MetaRNN(4), "cartpole"), REVERSED["cartpole"]
    orders = tuple(reversed(range(observations))), tuple(reversed(range(actions)))
    environment = Permuted(TASKS["cartpole"], *orders)
    same = replace(rule, algorithm=SampledInOrder(rule.algorithm, orders[1]))
    found, plain = rewards(same, environment), rewards(rule, TASKS["cartpole"])
    assert (found.sum(axis=1) != plain.sum(axis=1)).any()


def test_an_order_that_is_none_changes_nothing():
    rule = rule_of(SymLA(hidden_size=4), "cartpole")
    same = replace(rule, algorithm=SampledInOrder(rule.algorithm, (0, 1)))
    np.testing.assert_array_equal(
        rewards(same, TASKS["cartpole"]), rewards(rule, TASKS["cartpole"])
    )


def test_nothing_keeps_its_place_that_could_move():
    for task, sizes in REVERSED.items():
        spec = TASKS[task].spec
        assert sizes == (spec.observation_size, spec.action_size)
