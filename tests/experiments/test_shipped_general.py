"""The rule `general` does what its card says, and its card says where it falls short."""

import pytest

from symla.evaluation.evaluate import meta_test
from symla.evaluation.suites.unseen import UNSEEN
from symla.experiments.shipped_general import _tested
from symla.rules.loading import load

CONTEXTS = "25 contexts, 6 actions"


@pytest.mark.slow
def test_it_learns_in_tables_larger_than_those_it_was_trained_on():
    found, random = (
        meta_test(load(name), UNSEEN.environments[CONTEXTS], 64, 1000, seed=1)
        for name in ("general", "random")
    )
    assert found.learns(random) == "yes"
    assert found.difference(random).low > 0


def test_its_card_has_the_whole_suite():
    card = load("general").card
    assert set(card["tested"]) == set(UNSEEN.environments)
    assert len(card["good"]) + len(card["not_good"]) == len(UNSEEN.environments)
    assert card["good"]
    assert "dirty" not in card["revision"]
    assert "dirty" not in card["tested_by"]["revision"]


@pytest.mark.slow
@pytest.mark.parametrize("name", UNSEEN.environments)
def test_its_card_is_true_everywhere(name):
    stored = load("general").card["tested"][name]
    found = meta_test(load("general"), stored["environment"], 32, stored["length"], seed=1).return_
    assert abs(found.mean - stored["mean"]) < 1.5 * (found.ci95 + stored["ci95"])


def test_a_comparison_is_read_by_its_first_rule():
    fifths = {"reward": {"mean": 0.5}}
    pair = {
        "environment": "there",
        "length": 10,
        "lifetimes": 2,
        "return": {"mean": 1.0, "ci95": 0.1},
        "first_fifth": fifths,
        "last_fifth": fifths,
    }
    beside = {**pair, "rule": "random", "return": {"mean": 0.0, "ci95": 0.2}}
    (found,) = dict(_tested({"pairs": [{**pair, "rule": "mine"}, beside]})).values()
    assert (found["mean"], found["random"]["mean"], found["last_fifth"]) == (1.0, 0.0, 0.5)
