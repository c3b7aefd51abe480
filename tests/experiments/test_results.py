"""The rules that ship give the numbers that are stored beside them."""

import json
from pathlib import Path

import pytest

from symla.environments import Hearts, IndependentBandit, Permuted, Rewards
from symla.evaluate import meta_test
from symla.experiments.figure5 import TASKS
from symla.experiments.figure6 import GRID, SWAPPED
from symla.experiments.measures import curve, regret
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


FIGURE_4 = [("2-to-12", arms) for arms in (2, 10, 50)] + [("8", 8)]


@pytest.mark.parametrize(("trained", "arms"), FIGURE_4)
def test_figure_4_is_what_its_rules_do(trained, arms):
    stored = json.loads((RESULTS / "figure4" / "results.json").read_text())
    cell = stored["matrix"]["symla"][trained.replace("-", " ")][str(arms)]
    rule = load(RESULTS / "figure4" / f"symla-{trained}-1.safetensors")
    again = regret([rule], IndependentBandit(arms), 512, 100)
    assert again["mean"] == pytest.approx(cell["seeds"][1], abs=cell["ci95"])


@pytest.mark.parametrize("who", ["symla", "meta-rnn"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("permuted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_figure_5_is_what_its_rules_do(who, task, permuted):
    stored = json.loads((RESULTS / "figure5" / "results.json").read_text())["panels"][task]
    expected = stored[f"{who}, permuted" if permuted else who]["return"]
    rule = load(RESULTS / "figure5" / f"{who}-{task}-1.safetensors")
    environment = Permuted(TASKS[task]) if permuted else TASKS[task]
    again = curve([rule], environment, 128, 500)["return"]
    assert again["mean"] == pytest.approx(
        expected["seeds"][1], abs=again["ci95"] + expected["ci95"] + 0.01
    )


def test_gridworld_learns_what_pays():
    rule = load("gridworld")
    for environment in (Hearts(2, 10), Rewards(Hearts(2, 10), swap=1.0)):
        reward = meta_test(rule, environment, 128, 400).reward_per_step
        assert sum(reward[:20]) / 20 < 0.3
        assert sum(reward[-100:]) / 100 > 0.5
