"""What a training is said to cost: of the right order, and more for more."""

import re
from dataclasses import replace

import pytest

import symla
from symla.algorithms import MetaRNN, SymLA
from symla.experiments.forecast import forecast
from symla.experiments.meta_train import recipe_of
from symla.outer import EvolutionStrategies, LifetimePPO, PolicyGradient, Teacher


def recipe(outer, **more):
    settings = {"generations": 300, "lifetimes": 8, "length": 300, "seed": 0} | more
    return recipe_of(SymLA(), (symla.make("point-navigation"),), outer, **settings)


def test_a_training_of_a_minute_is_said_to_take_one():
    said = forecast(recipe(EvolutionStrategies()))
    assert said.startswith("9.2e+07 environment steps, about ")
    seconds = int(re.search(r"about (\d+) s", said)[1])
    assert 10 <= seconds <= 90


def test_gradients_cost_time_and_memory():
    both = [recipe(outer, lifetimes=800) for outer in (EvolutionStrategies(8), PolicyGradient(8))]
    memory = [int(re.search(r"([\d,]+) MB", forecast(r))[1].replace(",", "")) for r in both]
    assert memory[1] > 10 * memory[0]
    assert " h on" in forecast(replace(both[1], generations=3000))


def test_every_loop_with_gradients_takes_longer_than_one_without(monkeypatch):
    def hours(outer, fused):
        monkeypatch.setattr("symla.experiments.forecast.has_fused_gradient", lambda _: fused)
        said = re.search(r"about ([\d.]+) h", forecast(recipe(outer, generations=10**7)))
        return float(said[1])

    without = hours(EvolutionStrategies(16), fused=True)
    for outer in (PolicyGradient(16), Teacher(16)):
        assert hours(outer, fused=True) == pytest.approx(5 * without, rel=0.1)
        assert hours(outer, fused=False) == pytest.approx(19 * without, rel=0.1)
    assert hours(LifetimePPO(16), fused=True) == pytest.approx(22 * without, rel=0.1)


def test_an_algorithm_of_unknown_cost_has_no_time():
    said = forecast(replace(recipe(EvolutionStrategies()), algorithm=MetaRNN()))
    assert "about" not in said
    assert "MB" in said
