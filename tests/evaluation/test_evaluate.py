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
from symla.environments import Permuted, Projected, Rewards, make
from symla.evaluation.evaluate import meta_test
from symla.evaluation.evaluation import BINS, Sums, evaluation
from symla.evaluation.lifetime_sums import live
from symla.evaluation.statistics import Estimate, estimate
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


def test_seeds_may_be_numpys():
    found = meta_test(hand_made("random"), "bandit-easy", 4, 3, np.int64(3))
    assert json.loads(json.dumps(found.to_json()))["seed"] == 3


def test_a_rule_may_be_a_name():
    arguments = "bandit-arms-2", 4, 3
    named = meta_test("bayes-optimal", *arguments)
    optimal = hand_made("bayes-optimal", symla.make("bandit-arms-2"), 3)
    assert named == meta_test(optimal, *arguments)
    assert meta_test("bandits", *arguments) == meta_test(symla.load("bandits"), *arguments)
    with pytest.raises(UnknownNameError, match="no rule named 'banditz'"):
        meta_test("banditz", *arguments)


@pytest.mark.parametrize("numbers", [{"lifetimes": 10**20}, {"length": 10**20}])
def test_what_no_machine_could_live_is_refused(numbers):
    with pytest.raises(SettingError, match=r"2\^31"):
        meta_test("random", "bandit-easy", **numbers)


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


def result_of(first, last, seed=0):
    """Of lifetimes of five steps that earn so much in the first and in the last, and 1 between."""
    reward = np.ones((len(first), 5), np.float32)
    reward[:, 0], reward[:, -1] = first, last
    return evaluation(Sums(reward, np.zeros_like(reward)), one_bin_a_step(5), seed)


LEARNS = {  # rewards in the first and last step, then those of random play, if any
    "rises": ("yes", ([0, 1, 0], [3, 4, 4]), None),
    "falls": ("no", ([3, 4, 4], [0, 1, 0]), None),
    "stays": ("no", ([1, 2, 3], [1, 2, 3]), None),
    "now up, now down": ("not shown", ([0, 1, 2], [1, 0, 2]), None),
    "rises, random does not": ("yes", ([0, 1, 0], [3, 4, 4]), ([1, 2, 1], [1, 2, 1])),
    "rises as random does": ("no", ([0, 1, 0], [3, 4, 4]), ([0, 1, 0], [3, 4, 4])),
    "random rises more": ("no", ([0, 1, 0], [3, 4, 4]), ([0, 1, 0], [9, 9, 9])),
    "perhaps as random does": ("not shown", ([0, 1, 0], [3, 4, 4]), ([0, 1, 0], [5, 5, 0])),
}


@pytest.mark.parametrize(("answer", "ours", "random"), LEARNS.values(), ids=LEARNS)
def test_does_it_learn(answer, ours, random):
    assert result_of(*ours).learns(result_of(*random) if random else None) == answer


def falling(counts, paid=1.0):
    """Of lifetimes of 20 steps that pay the same, in whose fifths so many episodes end."""
    ends = np.zeros((len(counts), 20), np.float32)
    for row, fifths in zip(ends, counts):
        for fifth, count in enumerate(fifths):
            row[4 * fifth : 4 * fifth + count] = 1
    return evaluation(Sums(np.full_like(ends, paid), ends), one_bin_a_step(20), 0)


def test_where_all_steps_pay_the_same_episodes_are_compared():
    better = falling([[4, 3, 2, 1, 1], [4, 2, 2, 2, 1], [3, 2, 1, 1, 0]])
    same = falling([[4, 4, 4, 4, 4]] * 3)
    assert better.paid == same.paid == 1.0 and better.improvement == Estimate(0.0, 0.0)
    np.testing.assert_allclose(better.counted(True).returns, [20 / 11, 20 / 11, 20 / 7])
    np.testing.assert_allclose(better.counted(True).improvements, [3, 3, 4 - 4 / 3])
    assert (better.learns(), better.learns(same), same.learns()) == ("yes", "yes", "no")
    # To end episodes sooner is better where steps cost.
    assert falling([[1, 2, 3, 4, 4]] * 2, paid=-1.0).learns() == "yes"


def test_where_some_steps_pay_otherwise_they_are_not():
    one, other = falling([[4, 3, 2, 1, 1]] * 2), falling([[4, 3, 2, 1, 1]] * 2, paid=0.5)
    assert not one.ends_alone_differ(other)
    assert result_of([0, 1, 0], [3, 4, 4]).paid is None


def test_differences_are_paired_by_lifetime():
    """Tasks differ by 100, the two rules by 1 in each."""
    ours, theirs = result_of([1, 101, 201], [0, 0, 0]), result_of([0, 100, 200], [0, 0, 0])
    assert ours.difference(theirs) == Estimate(1.0, 0.0)
    assert theirs.difference(ours) == Estimate(-1.0, 0.0)
    for other in (result_of([0, 1], [0, 1]), result_of([0, 1, 2], [0, 1, 2], seed=1)):
        with pytest.raises(SettingError, match="same lifetimes, length and seed"):
            ours.difference(other)
        with pytest.raises(SettingError, match="same lifetimes, length and seed"):
            ours.learns(other)


def test_intervals_along_the_lifetime():
    result = result_of([0, 3], [5, 5])
    assert result.reward_per_step[0] == estimate(np.array([0.0, 3.0]))
    assert result.reward_per_step[-1] == Estimate(5.0, 0.0)
    report = result.to_json()
    assert report["reward_per_step"] == [1.5, 1, 1, 1, 5]
    assert report["reward_per_step_ci95"][1:] == [0, 0, 0, 0]


def test_intervals_of_a_stretch_are_of_its_mean():
    """Two lifetimes of ten steps in five stretches."""
    reward = np.array([[0, 2, 2, 2, 2], [4, 2, 2, 2, 2]], np.float32)
    result = evaluation(Sums(reward, np.zeros_like(reward)), bin_edges(10, 5), 0)
    assert result.reward_per_step[0] == estimate(np.array([0.0, 2.0]))


def test_plot_draws_it_beside_others(tmp_path):
    ours, theirs = result_of([0, 1], [3, 4]), result_of([0, 1], [1, 0])
    figure = ours.plot(tmp_path / "it.svg", {"random": theirs}, name="mine", title="there")
    assert [line.get_label() for line in figure.axes[0].lines] == ["mine", "random"]
    assert b"there" in (tmp_path / "it.svg").read_bytes()
    assert len(ours.plot().axes[0].lines) == 1
    with pytest.raises(SettingError, match="must end in"):
        ours.plot("it.pdf")


@pytest.mark.slow
def test_transforms_are_keywords():
    """The same as wrapping it by hand, outermost the permutation."""
    rule, numbers = hand_made("random"), {"lifetimes": 3, "length": 10}
    found = meta_test(rule, "target", **numbers, permute=True, project=5, swap_rewards=True)
    by_hand = Permuted(Projected(Rewards(make("target"), swap=1.0), 5))
    assert found == meta_test(rule, by_hand, **numbers)
    assert found.return_ != meta_test(rule, "target", **numbers).return_
    with pytest.raises(SettingError, match=r"gymnasium:X .*gymnasium.wrappers"):
        meta_test(rule, "gymnasium:X", project=5)


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


@pytest.mark.slow
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
