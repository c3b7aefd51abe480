"""Statistics of frozen meta-parameters: right, repeatable, and refused outside their ranges."""

import json

import numpy as np
import pytest

import symla
from symla.core.errors import SettingError, SizeError, UnknownNameError
from symla.evaluation.evaluate import estimate, meta_test
from symla.rules.loading import hand_made


def test_the_interval_covers_the_truth_95_times_in_100():
    rng = np.random.default_rng(0)
    estimates = [estimate(rng.exponential(size=200)) for _ in range(2000)]
    covered = np.mean([abs(e.mean - 1.0) < e.ci95 for e in estimates])
    assert 0.92 < covered < 0.97


def test_return_regret_and_curves_agree():
    result = meta_test(hand_made("random"), "bandit-arms-2", lifetimes=3000, length=40)
    assert result.return_.mean == pytest.approx(sum(result.reward_per_step), rel=1e-6)
    assert len(result.reward_per_step) == len(result.cumulative_regret) == 40
    assert result.cumulative_regret[-1] == result.regret
    assert result.regret.mean == pytest.approx(40 / 6, rel=0.05)  # E|p0 - p1| / 2 a pull
    assert result.return_.mean == pytest.approx(20, rel=0.05)


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    rule = hand_made("thompson")
    first = meta_test(rule, "bandit-easy", 50, 20, seed=3)
    assert first == meta_test(rule, "bandit-easy", 50, 20, seed=3)
    assert first != meta_test(rule, "bandit-easy", 50, 20, seed=4)


def test_json_holds_numbers_only():
    report = meta_test(hand_made("ucb1"), "bandit-hard", 10, 5).to_json()
    assert report == json.loads(json.dumps(report, allow_nan=False))
    assert set(report["regret"]) == set(report["return"]) == {"mean", "ci95"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"lifetimes": 1}, "lifetimes"), ({"length": 0}, "length"), ({"seed": -1}, "seed")],
)
def test_ranges(wrong, words):
    with pytest.raises(SettingError, match=words):
        meta_test(hand_made("random"), "bandit-easy", **wrong)


def test_unknown_names_and_sizes():
    with pytest.raises(UnknownNameError, match="bandit-easy"):
        symla.meta_test(hand_made("random"), "bandit-eesy")
    with pytest.raises(SizeError, match="two arms"):
        symla.meta_test(hand_made("bayes-optimal"), "bandit-arms-3")
    with pytest.raises(UnknownNameError, match="'thompson'"):
        symla.load("tompson")
