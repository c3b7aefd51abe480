"""The rules that ship give the numbers that are stored beside them."""

import json
from pathlib import Path

import pytest

from symla.environments import Hearts, Rewards
from symla.evaluate import meta_test
from symla.experiments.figure6 import GRID, SWAPPED
from symla.experiments.measures import curve
from symla.rules import load

RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize(("line", "environment"), [("symla", GRID), ("symla, swapped", SWAPPED)])
def test_figure_6_is_what_its_rules_do(line, environment):
    folder = RESULTS / "figure6"
    stored = json.loads((folder / "results.json").read_text())["panels"]["hearts"][line]
    rule = load(folder / "symla-small-2.safetensors")
    again = curve([rule], environment, 512, stored["length"])
    assert again["last_fifth"]["mean"] == pytest.approx(stored["last_fifth"]["seeds"][2], abs=0.01)
    assert again["first_fifth"]["mean"] == pytest.approx(
        stored["first_fifth"]["seeds"][2], abs=0.01
    )


def test_gridworld_learns_what_pays():
    rule = load("gridworld")
    for environment in (Hearts(2, 10), Rewards(Hearts(2, 10), swap=1.0)):
        reward = meta_test(rule, environment, 128, 400).reward_per_step
        assert sum(reward[:20]) / 20 < 0.3
        assert sum(reward[-100:]) / 100 > 0.5
