"""Every learning algorithm in the same environments: what is measured, and who cannot be where."""

import json
from itertools import pairwise

import numpy as np
import pytest

from symla.algorithms import MetaRNN
from symla.core.errors import SizeError
from symla.experiments import all_learners
from symla.experiments.all_learners import EARLY, EDGES, AllLearners, OverSteps, reached
from symla.experiments.measures import to_json
from symla.lifetimes.resolve import make
from symla.report.paper_figures import draw_figure
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

STRETCHES = [pair for edges in EDGES.values() for pair in pairwise(edges)]


def line(mean):
    rng = np.random.default_rng(0)
    return OverSteps(mean + 0.01 * rng.normal(size=(8, len(STRETCHES))), STRETCHES)


def test_rewards_a_step_are_those_of_the_lifetime(monkeypatch):
    monkeypatch.setattr(all_learners, "LIFETIMES", {False: 4, True: 2})
    found = reached(hand_made("random"), make("bandit-easy"), scale=0.02)
    assert found.edges == ((0, 100), (100, 200), (200, 400), (400, 800), (800, EARLY))
    assert found.rewards.shape == (4, 5)
    assert abs(found.rewards.mean() - 0.5) < 0.05  # two arms, 0.9 and 0.1


def test_weights_of_one_size_are_padded_or_refused():
    world, card = make("delayed-chain"), {"padded": [8, 4]}
    with pytest.raises(SizeError, match="21 observations"):
        reached(Rule(MetaRNN(4), (), card), world, scale=0.02)


def test_a_claim_is_about_the_best_of_either_kind():
    lines = {"SymLA": line(0.5), "MetaRNN": line(0.1), "PPO": line(0.4), "random": line(0.0)}
    lines["Q-learning"] = line(0.3)
    early, late = AllLearners().verdicts({"panels": {"arms": lines}})
    assert "(SymLA) earns more than the best of the others (PPO)" in early.claim
    assert early.holds
    assert not late.holds  # PPO is below SymLA there, too
    assert "64,000 to 100,000" in late.claim


def test_each_recipe_can_be_trained_and_is_named_by_its_kind():
    recipes = AllLearners().recipes()
    assert {name.split("-")[1] for name in recipes} == {"discrete", "continuous"}
    for recipe in recipes.values():
        recipe.training()
        recipe.tiny().training()


def test_it_is_drawn(tmp_path):
    panels = {"arms": {"SymLA": line(0.5), "random": line(0.0)}}
    results = {"kind": "growing", "title": "all", "panels": to_json(panels)}
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert draw_figure(tmp_path).stat().st_size > 10_000
