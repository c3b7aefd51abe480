"""Aggregates over environments, beside their definitions (rliable, Agarwal et al. 2021)."""

import numpy as np
import pytest
from scipy.stats import trim_mean

import symla
from symla.core.errors import SettingError
from symla.evaluation.aggregates import (
    bootstrapped,
    interquartile_mean,
    normalised,
    performance_profile,
)
from tests.cli.in_process import typed

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(4, 1), (7, 3), (10, 2)])
def test_the_interquartile_mean_is_a_trimmed_mean(shape):
    scores = RANDOM.standard_normal((3, *shape)) ** 3
    expected = [trim_mean(one, 0.25, axis=None) for one in scores]
    np.testing.assert_allclose(interquartile_mean(scores), expected)


def test_a_profile_is_the_part_of_runs_above_each_threshold():
    scores = np.array([[0.0, 1.0], [2.0, 3.0]])
    profile = performance_profile(scores, np.array([-1.0, 0.0, 1.5, 3.0]))
    assert profile.tolist() == [1.0, 0.75, 0.5, 0.0]


def test_runs_are_drawn_within_their_environment():
    """Environments differ more than runs: only strata keep the interval narrow."""
    scores = np.array([0.0, 100.0]) + RANDOM.standard_normal((30, 2))
    found = bootstrapped(scores, lambda x: x.mean(axis=(-2, -1)))
    error = np.sqrt((scores.var(axis=0) / 30).sum()) / 2  # of the mean of two means
    assert found.low < found.value < found.high
    np.testing.assert_allclose(found.high - found.low, 2 * 1.96 * error, rtol=0.1)
    with pytest.raises(SettingError, match="at least 2 runs"):
        bootstrapped(scores[:1], interquartile_mean)


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = 0
    for _ in range(100):
        found = bootstrapped(RANDOM.standard_normal((25, 2)), interquartile_mean)
        held += found.low < 0.0 < found.high
    assert 86 <= held <= 99


def test_scores_have_one_scale():
    returns = {
        "random": {"a": np.array([0.0, 2.0]), "b": np.array([-10.0, -10.0])},
        "good": {"a": np.array([3.0, 3.0]), "b": np.array([0.0, -10.0])},
    }
    scores = normalised(returns, "random")
    assert scores["random"].tolist() == [[-0.5, 0.0], [0.5, 0.0]]
    assert scores["good"].tolist() == [[1.0, 2.0], [1.0, 0.0]]
    assert normalised(returns)["good"].tolist() == scores["good"].tolist()
    with pytest.raises(SettingError, match="every rule in every environment"):
        normalised({**returns, "less": {"a": np.zeros(2)}})


def test_a_comparison_has_them_over_several_environments(tmp_path):
    small = ("--lifetimes", 4, "--length", 6)
    arguments = "compare thompson random --environments bandit-arms-2 bandit-arms-3"
    done = typed(*arguments.split(), *small, "--profiles", "it.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("interquartile mean") :]
    assert "thompson" in table and "random" in table
    assert (tmp_path / "it.png").stat().st_size > 10_000
    one = symla.compare(["ucb1", "random"], ["bandit-arms-2"], lifetimes=4, length=6)
    assert one.scores() == {} and one.to_json()["interquartile_means"] == {}
    with pytest.raises(SettingError, match="at least 2 environments"):
        one.plot_profiles()
