"""Figure 6: the stages of its curricula, and how its claims are judged."""

import numpy as np
import pytest

from symla.environments import Associations, make
from symla.experiments.measures import PARTS, Curve, Measured, without
from symla.experiments.symla.figure6 import GRIDS, TAUGHT, Figure6
from symla.lifetimes.lifetime import bin_edges
from symla.outer import PolicyGradient, Teacher
from symla.rules.loading import load

FLAT, RISING = (0.2, 0.2), (0.0, 0.2)


def curve(first, last, by_hand=False):
    """Of that reward a step in the first and in the second half of 10 steps."""
    noise = np.linspace(-0.001, 0.001, 4)[:, None]
    half = np.ones(5)
    rewards = np.concatenate([first * half, last * half]) + noise
    by_seed = [rewards + 1e-4 * seed for seed in range(5)]
    return Curve(by_seed, bin_edges(10, 10), by_hand)


def panel(ours, theirs=(0.3, 0.3)):
    found = {"random": curve(0.0, 0.0, by_hand=True)}
    for which, sign in (("", 1), (", swapped", -1)):
        found[f"symla{which}"] = found[f"symla{which}, longer"] = curve(*ours)
        found[f"meta-rnn{which}"] = curve(*(sign * x for x in theirs))
    return found | {f"symla, without {name}": curve(0.0, 0.0) for name in PARTS.values()}


def failed(ours):
    panels = {f"{size}x{size}": panel(ours) for size in GRIDS}
    return [v.claim for v in Figure6().verdicts({"panels": panels}) if not v.holds]


def test_each_stage_starts_from_the_one_before():
    recipes = Figure6().recipes()
    stages = [f"symla-taught-{stage.name}-3" for stage in TAUGHT]
    assert [recipes[name].start for name in stages] == ["", *stages[:-1]]
    assert all(isinstance(recipes[name].outer, Teacher) for name in stages)
    assert isinstance(recipes["symla-small-2"].outer, PolicyGradient)
    assert recipes["meta-rnn-taught-5x5-4"].environments == (GRIDS[5],)
    assert isinstance(recipes[stages[0]].environments[0], Associations)


def test_a_rule_that_learns_holds_every_claim():
    assert failed(RISING) == []


def test_a_rule_that_acts_well_at_once_has_not_learned():
    assert len(failed(FLAT)) == 2 * len(GRIDS)
    assert all("rises within the lifetime" in claim for claim in failed(FLAT))


def test_less_than_half_of_the_way_is_said():
    assert sum("more than half" in claim for claim in failed((0.0, 0.1))) == 2 * len(GRIDS)


def test_half_of_the_way_to_random_play_is_that_of_every_lifetime():
    own = Measured([np.array([2.0, 4.0]), np.array([0.0, 8.0])])
    there = Measured([np.array([0.0, 2.0])] * 2, by_hand=True)
    half = own.towards(there, 0.5)
    assert [x.tolist() for x in half.samples] == [[1.0, 3.0], [0.0, 5.0]]


@pytest.mark.parametrize("part", PARTS)
def test_without_what_it_needs_a_rule_earns_nothing(part):
    """The rule that ships for small grids uses all of it."""
    where = make("associations")
    rules = [load("gridworld")]
    whole = Curve.of(rules, where, 8, 100).last.estimate.mean
    blind = Curve.of(without(rules, where, part), where, 8, 100).last.estimate.mean
    assert whole > 0.5 > 0.3 > blind
