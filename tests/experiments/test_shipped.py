"""The rules that ship do what their cards say."""

import pytest

from symla.environments import knows_regret, make
from symla.evaluation.evaluate import meta_test
from symla.experiments.shipped import SHIPPED
from symla.rules.loading import load, pretrained

TRIALS = [(name, where) for name in SHIPPED for where in SHIPPED[name].tests]
FAST = [(name, next(iter(SHIPPED[name].tests))) for name in SHIPPED]


def check(name, where, lifetimes):
    rule = load(name)
    stored = rule.card["tested"][where]
    environment = SHIPPED[name].tests[where]
    assert stored["environment"] == repr(environment)
    found = meta_test(rule, environment, lifetimes, stored["length"], seed=1)
    ours = found.regret if knows_regret(environment) else found.return_
    sign = -1.0 if knows_regret(environment) else 1.0
    assert abs(sign * ours.mean - stored["mean"]) < 1.5 * (ours.ci95 + stored["ci95"])


def test_what_is_described_is_what_ships():
    assert set(SHIPPED) == set(pretrained())


@pytest.mark.parametrize(("name", "where"), FAST)
def test_a_card_is_true(name, where):
    check(name, where, 200)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "where"), TRIALS)
def test_a_card_is_true_everywhere(name, where):
    check(name, where, 1000)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_tells_where_it_comes_from(name):
    card = load(name).card
    assert {"summary", "good", "not_good", "lineage", "environment_steps", "seed"} <= {
        *card,
        *card["training"],
    }
    assert card["good"]
    assert card["command"].startswith("symla reproduce")
    assert "dirty" not in card["revision"]


def test_bandits_is_at_home_where_a_person_could_name_it():
    assert make(load("bandits").card["trained_on"]).spec.action_size == 2
