"""Rules in environments, pair by pair, in the same lifetimes."""

import json

import numpy as np
import pytest

import symla
from symla.core.errors import SettingError, UnknownNameError
from symla.environments import IndependentBandit
from symla.evaluation.comparison import compare
from symla.evaluation.evaluate import meta_test
from symla.rules.loading import hand_made
from tests.probes.environments import Corridor

SMALL = {"lifetimes": 4, "length": 6}


@pytest.fixture(scope="module")
def compared():
    """Bayes-optimal play is for two arms alone."""
    rules = ["random", "bayes-optimal", "thompson"]
    return symla.compare(rules, ["bandit-arms-2", "bandit-arms-3"], **SMALL, seeds=[0, 7])


def test_every_rule_is_in_every_environment(compared):
    found = [(pair.environment, pair.rule, pair.result is not None) for pair in compared.pairs]
    assert found == [
        ("bandit-arms-2", "random", True),
        ("bandit-arms-2", "bayes-optimal", True),
        ("bandit-arms-2", "thompson", True),
        ("bandit-arms-3", "random", True),
        ("bandit-arms-3", "bayes-optimal", False),
        ("bandit-arms-3", "thompson", True),
    ]
    assert "two arms" in compared.pairs[4].reason
    assert (compared.seeds, compared.lifetimes, compared.length) == ((0, 7), 4, 6)


def test_the_lifetimes_of_all_seeds_count_together(compared):
    pair = compared.pairs[2]
    apart = [meta_test(hand_made("thompson"), "bandit-arms-2", **SMALL, seed=s) for s in (0, 7)]
    assert pair.result.lifetimes == 8
    assert pair.result.seed == (0, 7)
    np.testing.assert_array_equal(pair.result.returns, np.concatenate([r.returns for r in apart]))
    assert pair.result.regret.mean == pytest.approx(np.mean([r.regret.mean for r in apart]))


def test_differences_are_to_the_first_rule(compared):
    first, second, third, *_ = compared.pairs
    assert first.difference is None
    assert second.difference == second.result.difference(first.result)
    assert third.difference == third.result.difference(first.result)
    assert compared.pairs[4].difference is None


def test_without_the_first_rule_there_is_no_difference():
    found = compare(["bayes-optimal", "random"], [IndependentBandit(3)], **SMALL).pairs
    assert [pair.difference for pair in found] == [None, None]
    assert found[0].environment == "bandit-arms-3"


def test_bayes_optimal_play_is_for_the_length_and_the_environment():
    """A plan for 100 pulls, or for independent arms, would be another rule."""
    found = compare(["bayes-optimal"], ["bandit-easy"], lifetimes=4, length=201)
    assert found.pairs[0].result is not None
    assert "between 1 and 200" in compare(
        ["bayes-optimal"], ["bandit-arms-2"], lifetimes=4, length=201
    ).pairs[0].reason  # fmt: skip


def test_to_json_and_plot(compared, tmp_path):
    report = compared.to_json()
    assert report == json.loads(json.dumps(report, allow_nan=False))
    pairs, means = report.pop("pairs"), report.pop("interquartile_means")
    assert set(means) == {"random", "thompson"}  # those that are in both environments
    assert report == {"lifetimes": 4, "length": 6, "seeds": [0, 7]}
    assert set(pairs[4]) == {"environment", "rule", "reason"}
    assert pairs[1]["difference_to_first"] is not None
    assert pairs[0]["difference_to_first"] is None
    assert len(pairs[0]["reward_per_step"]) == 6
    figure = compared.plot(tmp_path / "it.png")
    assert [len(axis.lines) for axis in figure.axes] == [3, 2]
    assert (tmp_path / "it.png").exists()
    nothing = compare(["bayes-optimal"], ["bandit-arms-3"], **SMALL)
    with pytest.raises(SettingError, match="nothing to draw"):
        nothing.plot()


def test_objects_have_names():
    """That of a rule is its algorithm's; two of a kind are numbered, one given twice is one."""
    random, learned = hand_made("random"), symla.load("bandits")
    other = symla.load("control")
    found = compare([random, learned, other, learned], [Corridor(3)], lifetimes=2, length=2).pairs
    assert [pair.rule for pair in found] == ["Random", "SymLA", "SymLA (2)"]
    assert {pair.environment for pair in found} == {"tests.probes.environments:Corridor"}
    mine = compare({"mine": random}, {"there": Corridor(3)}, lifetimes=2, length=2).pairs[0]
    assert (mine.rule, mine.environment) == ("mine", "there")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"rules": []}, "at least one rule"),
        ({"environments": []}, "at least one environment"),
        ({"seeds": []}, "seeds must be different numbers"),
        ({"seeds": [1, 1]}, "seeds must be different numbers"),
        ({"seeds": [-1]}, "seed must be between"),
        ({"lifetimes": 1}, "lifetimes must be"),
        ({"length": 0}, "length must be"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_tested(wrong, words):
    settings = {"rules": ["random"], "environments": ["bandit-easy"], **wrong}
    with pytest.raises(SettingError, match=words):
        compare(**settings)


@pytest.mark.parametrize(("rule", "environment"), [("randm", "bandit-easy"), ("random", "bandi"),
                                                   ("random", "gymnasium:CartPol-v1")])  # fmt: skip
def test_a_misspelt_name_is_no_missing_pair(rule, environment):
    with pytest.raises(UnknownNameError):
        compare([rule], [environment], **SMALL)
