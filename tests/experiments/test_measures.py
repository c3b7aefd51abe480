"""What figures measure: whose tasks, and over what intervals are."""

import numpy as np
import pytest

from symla.environments import IndependentBandit
from symla.evaluation.statistics import estimate
from symla.experiments.measures import SETS, Curve, Measured, regret
from symla.rules.loading import hand_made

WHERE = IndependentBandit(2), 6, 10


def test_each_seed_lives_tasks_of_its_own():
    random = hand_made("random")
    both = regret([random, random], *WHERE).samples
    assert not np.array_equal(*both)
    assert np.array_equal(both[1], regret([random], *WHERE, seeds=[1]).samples[0])


def test_a_hand_made_algorithm_lives_those_of_all_seeds():
    rule = hand_made("thompson")
    found, curve = regret(rule, *WHERE), Curve.of(rule, *WHERE)
    assert len(found.samples) == len(curve.rewards) == SETS
    assert found.estimate == estimate(np.concatenate(found.samples))
    assert curve.last.estimate == estimate(np.concatenate(curve.last.samples))
    assert found.minus(found).ci95 == 0.0
    of_two = regret([rule, rule], *WHERE)
    assert of_two.minus(found).mean == of_two.minus(found).ci95 == 0.0
    assert set(found.to_json()) == {"mean", "ci95"}
    assert len(of_two.to_json()["seeds"]) == 2


def test_what_tasks_happen_to_be_is_in_the_interval():
    """Rules that all do the same differ by their tasks alone. The true mean is in 95% of their
    intervals; were the tasks those of all seeds, it would be in none."""
    draws = np.random.default_rng(0)
    within = 0
    for _ in range(2000):
        found = Measured([draws.normal(size=20) for _ in range(5)]).estimate
        within += found.low <= 0.0 <= found.high
    assert within / 2000 == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("seeds", [3, 5])
def test_two_methods_are_paired_where_they_have_as_many_seeds(seeds):
    tasks = np.random.default_rng(1).normal(size=(5, 40))
    ours = Measured(list(tasks))
    theirs = Measured(list(tasks[:seeds] + 0.5))
    found = theirs.beside(ours)
    if seeds == 5:
        assert (found.mean, found.ci95) == pytest.approx((0.5, 0.0))
        fewer = Measured([x[:30] for x in theirs.samples])  # lifetimes
        assert fewer.beside(ours).ci95 > 0.0
    else:
        assert found.ci95 > 0.1  # Welch's
