"""Standings over environments, and the suite."""

import json

import pytest

import symla
from symla.evaluation.comparison import Help, compare
from symla.evaluation.ranking import standings
from symla.evaluation.suites import SUITES
from symla.rules.loading import is_hand_made
from tests.cli.in_process import typed
from tests.probes.environments import Corridor


@pytest.mark.slow
def test_ranks_and_counts():
    """Q-learning learns the corridor; Thompson sampling cannot be there, and ranks elsewhere."""
    worlds = {"corridor": Corridor(4), "bandit": "bandit-arms-2"}
    rules = ["q-learning", "random", "thompson"]
    seen = []
    found = compare(rules, worlds, lifetimes=100, length=200, watch=seen.append)
    assert seen == list(found.pairs)
    there = {pair.rule for pair in found.pairs if pair.result and pair.environment == "corridor"}
    q, random, thompson = standings(found)
    assert (q.rule, random.rule, thompson.rule) == tuple(rules)
    assert q.learned >= 1 and q.above_random >= 1
    assert (random.learned, random.above_random, random.above_q_learning) == (0, 0, 0)
    assert thompson.environments == (2 if "thompson" in there else 1)
    assert thompson.mean_rank < random.mean_rank


def test_a_rule_that_can_be_nowhere_has_no_rank(tmp_path):
    """And the file is written all the same."""
    words = "compare", "random", "q-learning", "--environments", "cartpole", "--lifetimes", 2
    file = tmp_path / "it.json"
    ran = typed(*words, "--length", 4, "--json", file)
    assert ran.returncode == 0, ran.stderr
    ranks = {each["rule"]: each["mean_rank"] for each in json.loads(file.read_text())["standings"]}
    assert ranks == {"random": 1.0, "q-learning": None}


def test_help_is_the_same_for_all():
    """Random play is as it was; what it is told to do is said with the results."""
    plain, helped = (
        compare(["random"], ["bandit-arms-2"], lifetimes=8, length=5, normalise_rewards=on)
        for on in (False, True)
    )
    assert helped.pairs[0].result.return_ == plain.pairs[0].result.return_
    assert helped.to_json()["help"] == {"normalise_rewards": True, "bins": 0}
    assert "help" not in plain.to_json()
    rule = symla.load("random")
    assert Help()(rule) is rule


def test_the_suite_is_what_it_says():
    suite = SUITES["unseen"]
    assert len(suite.environments) >= 20
    for name in suite.environments.values():
        if not name.startswith(("gymnasium:", "gymnax:")):  # which import slowly
            symla.make(name)
    assert all(map(is_hand_made, suite.references))
