"""The rules that ship give the numbers that are stored beside them."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from symla.environments import Hearts, IndependentBandit, Permuted, Rewards
from symla.evaluation.evaluate import meta_test
from symla.evaluation.statistics import estimate
from symla.experiments.measures import Curve, regret
from symla.experiments.reproduce import figures, trained
from symla.experiments.symla.as_made import WORLD
from symla.experiments.symla.figure3 import BANDITS, MORE, SEEDS_OF
from symla.experiments.symla.figure5 import BY_PPO, EVOLVED, OURS, TASKS
from symla.experiments.symla.figure6 import FEWER, FEWER_LONG, GRIDS
from symla.experiments.symla.figure7 import LEARNERS, TESTED, TRAINED
from symla.rules.loading import load

RESULTS = Path(__file__).parents[2] / "results"
slow = pytest.mark.slow


SMALL = "symla, by policy gradient"
FIGURE_6 = [
    (2, "symla", "symla-taught-2x2"),
    *(
        pytest.param(*of, marks=slow)
        for of in (
            (2, "symla, swapped", "symla-taught-2x2"),
            (2, SMALL, "symla-small"),
            (3, "symla", "symla-taught-3x3"),
            (4, "symla, longer", "symla-taught-4x4"),
            (5, "symla, longer", "symla-taught-5x5"),
            (5, "meta-rnn", "meta-rnn-taught-5x5"),
        )
    ),
]


@pytest.mark.parametrize(("size", "line", "who"), FIGURE_6)
def test_figure_6_is_what_its_rules_do(size, line, who):
    folder = RESULTS / "figure6"
    results = json.loads((folder / "results.json").read_text())
    stored = results["panels"][f"{size}x{size}"][line]
    environment = Rewards(GRIDS[size], swap=1.0) if "swapped" in line else GRIDS[size]
    part = 1 if line == SMALL else FEWER_LONG if "longer" in line else FEWER
    lifetimes = results["lifetimes"] // part
    rule = load(folder / f"{who}-2.safetensors")
    again = Curve.of([rule], environment, lifetimes, stored["length"], seeds=[2])
    for part, found in (("first_fifth", again.first), ("last_fifth", again.last)):
        assert found.estimate.mean == pytest.approx(stored[part]["seeds"][2], abs=0.01)


FIGURE_3 = [
    pytest.param(who, bandit, marks=() if who != "meta-rnn" and bandit == "easy" else slow)
    for who in SEEDS_OF
    for bandit in BANDITS
]
FIGURE_4 = [
    ("symla", "8", 8),
    ("symla-ppo", "2-to-12", 10),
    *(pytest.param("symla", "2-to-12", arms, marks=slow) for arms in (2, 10, 50)),
    *(pytest.param("symla-ppo", "2-to-12", arms, marks=slow) for arms in (2, 50)),
]
FIGURE_5 = [
    pytest.param(who, task, permuted, marks=() if (who, task) == (OURS, "acrobot") else slow)
    for who in (*EVOLVED, *BY_PPO)
    for task in TASKS
    for permuted in (False, True)
]
FIGURE_7 = [
    ("symla, varied", "balance"),
    *(
        pytest.param(f"{learner}, {trained}", task, marks=slow)
        for learner in LEARNERS
        for trained in TRAINED
        for task in TESTED
    ),
]


@pytest.mark.parametrize(("who", "bandit"), FIGURE_3)
def test_figure_3_is_what_its_rules_do(who, bandit):
    cell = matrix("figure3")[who][bandit][bandit]
    assert_regret(cell, f"figure3/{who}-{bandit}-1", f"bandit-{bandit}", MORE * 512)


@pytest.mark.parametrize(("learner", "trained", "arms"), FIGURE_4)
def test_figure_4_is_what_its_rules_do(learner, trained, arms):
    cell = matrix("figure4")[learner][trained.replace("-", " ")][str(arms)]
    assert_regret(cell, f"figure4/{learner}-{trained}-1", IndependentBandit(arms))


def matrix(figure):
    return json.loads((RESULTS / figure / "results.json").read_text())["matrix"]


def assert_regret(cell, name, environment, lifetimes=512):
    """Of the rule of seed 1, on the very tasks that were stored, within the interval over them."""
    rule = load(RESULTS / f"{name}.safetensors")
    again = regret([rule], environment, lifetimes, 100, seeds=[1])
    allowed = estimate(again.samples[0]).ci95
    assert again.estimate.mean == pytest.approx(cell["seeds"][1], abs=allowed)


@pytest.mark.parametrize(("who", "task", "permuted"), FIGURE_5)
def test_figure_5_is_what_its_rules_do(who, task, permuted):
    line = f"{who}, permuted" if permuted else who
    rule = load(RESULTS / "figure5" / f"{who}-{task}-1.safetensors")
    environment = Permuted(TASKS[task]) if permuted else TASKS[task]
    assert_return("figure5", task, line, rule, environment)


@pytest.mark.parametrize(("line", "task"), FIGURE_7)
def test_figure_7_is_what_its_rules_do(line, task):
    learner, trained = line.split(", ")
    rule = load(RESULTS / "figure7" / f"{learner}-{trained}-1.safetensors")
    assert_return("figure7", task, line, rule, TESTED[task])


def test_cartpole_as_made_is_what_its_rules_do():
    rule = load(RESULTS / "cartpole-as-made" / "symla-1.safetensors")
    assert_return("cartpole-as-made", "cartpole", "symla", rule, WORLD, "ends")


def assert_return(figure, task, line, rule, environment, what="reward"):
    """Of the rule of seed 1, in all of the lifetimes, within twice the interval over them: another
    processor rounds differently, and makes other lifetimes of the same tasks."""
    results = json.loads((RESULTS / figure / "results.json").read_text())
    stored = results["panels"][task][line]
    lived = [rule], environment, results["lifetimes"], stored["length"], what
    again = Curve.of(*lived, seeds=[1]).total
    allowed = 2.0 * estimate(again.samples[0]).ci95 + 0.01  # where there is no variance
    assert again.estimate.mean == pytest.approx(stored["return"]["seeds"][1], abs=allowed)


MADE = [name for name in figures() if (RESULTS / name / "results.json").exists()]


def test_all_figures_of_the_symla_paper_are_there():
    assert MADE[:5] == [f"figure{number}" for number in (3, 4, 5, 6, 7)]


@pytest.mark.parametrize("name", MADE)
def test_every_stored_rule_is_of_todays_recipe(name):
    """Also where its card was written by an older schema: nothing would be trained again."""
    figure = figures()[name]
    folder = RESULTS / getattr(figure, "rules_in", name)
    recipes = figure.recipes()
    missing = [who for who, recipe in recipes.items() if not trained(who, recipe, folder)]
    assert missing == []


@pytest.mark.parametrize("name", [name for name in MADE if name != "all-learners"])
def test_stored_intervals_are_over_seeds(name):
    """Student's t over the means of the seeds; a difference within lifetimes is that of its ends.

    A hand-made algorithm has one rule, and no seeds; so has each that is in `all-learners`.
    """
    cells, lines = measured(json.loads((RESULTS / name / "results.json").read_text()))
    methods = Counter(who.rpartition("-")[0] for who in figures()[name].recipes())
    assert cells
    for cell in cells:
        assert len(cell["seeds"]) in methods.values()
        expected = estimate(np.array(cell["seeds"]))
        assert cell["mean"] == pytest.approx(expected.mean, rel=1e-6, abs=1e-9)
        assert cell["ci95"] == pytest.approx(expected.ci95, rel=1e-6, abs=1e-9)
    for line in lines:
        first, last, gain = (line[k] for k in ("first_fifth", "last_fifth", "improvement"))
        assert gain["mean"] == pytest.approx(last["mean"] - first["mean"], abs=1e-9)
        assert gain["ci95"] >= 0
        assert len(line["seeds"]) == len(line["return"].get("seeds", []))
        if line["seeds"]:
            np.testing.assert_allclose(np.mean(line["seeds"], axis=0), line["mean"], atol=1e-9)


def measured(results):
    """The numbers that a method reached, and the curves of methods and hand-made algorithms."""
    if results["kind"] == "matrix":
        rows = [row for matrix in results["matrix"].values() for row in matrix.values()]
        assert all("seeds" not in c for r in results["references"].values() for c in r.values())
        return [cell for row in rows for cell in row.values()], []
    lines = {(task, who): x for task, of in results["panels"].items() for who, x in of.items()}
    methods = [line for (_, who), line in lines.items() if who != "random"]
    parts = ("return", "first_fifth", "last_fifth")
    return [line[part] for line in methods for part in parts], list(lines.values())


@slow
def test_gridworld_learns_what_pays():
    rule = load("gridworld")
    for environment in (Hearts(2, 10), Rewards(Hearts(2, 10), swap=1.0)):
        result = meta_test(rule, environment, 128, 400)
        reward = np.array([each.mean for each in result.reward_per_step])
        steps = np.array(result.steps)
        assert set(np.diff(steps)) == {4}  # of stretches of as many steps
        assert reward[steps <= 20].mean() < 0.3
        assert reward[steps > 300].mean() > 0.5
