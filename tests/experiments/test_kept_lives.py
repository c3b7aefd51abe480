"""Lives of a figure's test: lived once by the same source, and again by any other."""

import numpy as np
import pytest

import symla
from symla.experiments import kept_lives
from symla.experiments.kept_lives import earned, kept_in

WORLD = symla.make("bandit-arms-2")


@pytest.fixture
def source(monkeypatch):
    """Says what source this is."""

    def say(name):
        monkeypatch.setattr(kept_lives, "source", lambda: name)

    say("a tree")
    return say


@pytest.fixture
def lived(monkeypatch):
    """The seeds of what was lived."""
    seeds = []

    def live(rule, environment, lifetimes, length, seed):
        seeds.append(seed)
        return np.full((lifetimes, 2), float(seed)), np.array([0, 1, length])

    monkeypatch.setattr(kept_lives, "_earned", live)
    return seeds


def test_what_the_same_source_lived_is_kept(tmp_path, source, lived):
    rule = symla.load("thompson")
    with kept_in(tmp_path):
        first = earned(rule, WORLD, 3, 10, seed=4)
        again = earned(rule, WORLD, 3, 10, seed=4)
    assert lived == [4]
    for kept, before in zip(again, first):
        np.testing.assert_array_equal(kept, before)


def test_of_something_else_nothing_is_kept(tmp_path, source, lived):
    rule = symla.load("bandits")
    other = symla.load("bandits")
    other = type(other)(other.algorithm, [2 * x for x in other.params], other.card)
    with kept_in(tmp_path):
        for who, environment, lifetimes, length, seed in [
            (rule, WORLD, 3, 10, 0),
            (other, WORLD, 3, 10, 0),
            (rule, symla.make("bandit-arms-3"), 3, 10, 0),
            (rule, WORLD, 4, 10, 0),
            (rule, WORLD, 3, 11, 0),
            (rule, WORLD, 3, 10, 1),
        ]:
            earned(who, environment, lifetimes, length, seed)
    assert len(lived) == 6
    source("another tree")
    with kept_in(tmp_path):
        earned(rule, WORLD, 3, 10, 0)
    assert len(lived) == 7


def test_a_source_that_was_changed_keeps_nothing(tmp_path, source, lived):
    source(None)
    with kept_in(tmp_path / "lives"):
        for _ in range(2):
            earned(symla.load("thompson"), WORLD, 3, 10, 0)
    assert len(lived) == 2
    assert not (tmp_path / "lives").exists()


def test_rewards_are_those_of_the_lifetimes():
    reward, edges = earned(symla.load("random"), WORLD, 5, 20, 0)
    assert reward.shape == (5, 20)
    assert edges.tolist() == list(range(21))
    assert set(np.unique(reward)) <= {0.0, 1.0}
