"""Statistics of frozen meta-parameters: right, repeatable, and refused outside their ranges."""

import json
import time
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symla
from symla.core.errors import DivergenceError, SettingError, SizeError, UnknownNameError
from symla.core.streams import Stream, stream_key
from symla.evaluation.evaluate import evaluation, meta_test
from symla.evaluation.lifetime_sums import BINS, Sums, live
from symla.lifetimes.lifetime import bin_edges, lifetime
from symla.rules.loading import hand_made
from symla.rules.rule import Rule
from tests.probes.algorithms import Diverges, Logits
from tests.probes.environments import Contextual, RandomStart


def means(result):
    """Of each stretch."""
    return [each.mean for each in result.reward_per_step]


def one_bin_a_step(length):
    """Edges of short lifetimes."""
    return bin_edges(length, length)


def test_return_regret_and_curves_agree():
    result = meta_test(hand_made("random"), "bandit-arms-2", lifetimes=3000, length=40)
    assert result.return_.mean == pytest.approx(sum(means(result)), rel=1e-6)
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


def test_curves_of_a_long_lifetime():
    length = 1037
    result = meta_test(hand_made("random"), "bandit-arms-2", lifetimes=4, length=length)
    assert result.steps == tuple(bin_edges(length, BINS)[1:].tolist())
    assert result.steps[-1] == length
    widths = np.diff([0, *result.steps])
    assert set(widths) == {10, 11}
    assert result.return_.mean == pytest.approx(np.dot(widths, means(result)))
    assert len(result.cumulative_regret) == BINS
    assert result.cumulative_regret[-1] == result.regret


def test_a_lifetime_of_a_million_steps():
    """Once it kept every reward of every lifetime."""
    begun = time.monotonic()
    result = meta_test(hand_made("random"), "bandit-arms-2", lifetimes=2, length=1_000_000)
    assert result.steps == tuple(range(10_000, 1_000_001, 10_000))
    assert result.return_.mean == pytest.approx(1e6 * np.mean(means(result)))
    assert np.std(means(result)) < 0.02  # random pulls: the same throughout
    assert time.monotonic() - begun < 100


@dataclass(frozen=True)
class EndsTwice:
    """Ends an episode at its second and its fourth step, and then never."""

    def init_params(self, key, spec):
        return ()

    def init_state(self, params, key, spec):
        return ()

    def step(self, params, state, percept, t, key):
        return ((t == 1) | (t == 3)).astype(jnp.int32), state


def test_a_long_episode_under_way_is_not_left_out():
    """The mean length of episodes that ended is 2, from the first step to the last."""
    result = meta_test(Rule(EndsTwice(), ()), RandomStart(10**6), 3, 50)
    assert result.first.episode_length == 5  # ten steps, two ends
    assert result.last.episode_length is None
    assert result.last.episode_return is None
    assert result.last.ends.mean == 0
    json.dumps(result.to_json(), allow_nan=False)


def test_returns_and_lengths_are_ratios_over_all_lifetimes():
    """Three lifetimes of ten steps: in the last two steps one ends twice, one once, one never."""
    reward = np.zeros((3, 10), np.float32)
    ends = np.zeros((3, 10), np.float32)
    ends[0, -2:], ends[1, -1] = 1, 1
    reward[:, -2:] = np.array([[3, 4], [5, 6], [7, 8]])
    last = evaluation(Sums(reward, ends), one_bin_a_step(10), 0).last
    assert last.episode_length == 6 / 3
    assert last.episode_return == 33 / 3
    assert last.ends.mean == 0.5
    assert last.reward.mean == pytest.approx(33 / 6)


def test_improvement_is_paired():
    """What tasks pay differs by 100 a step, and the last fifth of each by exactly 1."""
    task = np.array([[0.0], [100.0], [200.0]], np.float32)
    reward = np.repeat(task, 10, axis=1)
    reward[:, -2:] += 1
    result = evaluation(Sums(reward, np.zeros_like(reward)), one_bin_a_step(10), 0)
    assert (result.improvement.mean, result.improvement.ci95) == (1, 0)
    assert result.first.reward.ci95 > 100


@pytest.mark.parametrize("length", [1, 2, 4, 5, 9])
def test_fifths_of_short_lifetimes(length):
    """A fifth is a step at least."""
    sums = live(hand_made("random"), "bandit-easy", 5, length, 0)
    result = evaluation(sums, one_bin_a_step(length), 0)
    assert result.first.reward.mean == pytest.approx(sums.reward[:, 0].mean())
    assert result.last.reward.mean == pytest.approx(sums.reward[:, -1].mean())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_rule_that_is_not_finite_is_no_result(value):
    rule = Rule(Logits(), jnp.array([0.0, value]))
    with pytest.raises(DivergenceError, match=r"not finite .*in 5 of 5 lifetimes.*diverged"):
        meta_test(rule, "bandit-easy", 5, 10)


def test_only_lifetimes_that_are_not_finite_are_counted():
    algorithm, environment = Diverges(limit=1.5), Contextual(episode_length=3)
    keys = [jax.random.fold_in(stream_key(0, Stream.TESTING), i) for i in range(20)]
    rule = Rule(algorithm, jnp.zeros(2))
    alone = jax.jit(lambda key: lifetime(algorithm, environment, rule.params, key, 4)[0])
    wrong = int(np.isnan([alone(key) for key in keys]).sum())
    assert 0 < wrong < 20
    with pytest.raises(DivergenceError, match=f"in {wrong} of 20 lifetimes"):
        meta_test(rule, environment, 20, 4)


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
