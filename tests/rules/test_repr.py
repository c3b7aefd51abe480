"""Rules, agents and results are one line where they are shown, and a table in a notebook."""

import gymnasium
import pytest

import symla
from symla.algorithms import MetaRNN
from symla.rules.loading import hand_made
from symla.rules.rule import Rule


def test_a_rule():
    rule = symla.load("bandits")
    assert repr(rule) == "Rule(SymLA(), 2,640 meta-parameters, trained on bandit-arms-2)"
    assert str(rule) == f"{rule}" == repr(rule)
    assert rule.card["summary"] in rule._repr_html_()
    assert repr(Rule(MetaRNN(3), ())) == "Rule(MetaRNN(hidden_size=3), 0 meta-parameters)"


def test_a_rule_equals_itself_alone():
    rule = symla.load("bandits")
    assert rule == rule and rule != symla.load("bandits") and len({rule}) == 1


@pytest.mark.parametrize("name", ["control", "gridworld", "transfer", "bayes-optimal"])
def test_every_rule_is_one_short_line(name):
    rule = symla.load(name)
    assert "\n" not in repr(rule)
    assert len(repr(rule)) < 160
    assert len(rule._repr_html_()) < 3000


def test_an_agent():
    agent = hand_made("random").agent(gymnasium.make("CartPole-v1"), seed=2)
    agent.act(agent._spaces[0].sample())
    agent.observe(0.0, False, False)
    assert repr(agent) == "Agent(Random() in CartPole-v1, step 1, seed 2)"
    assert "CartPole-v1" in agent._repr_html_()


def test_results():
    result = symla.meta_test(hand_made("random"), "bandit-arms-2", 1000, 4)
    assert repr(result) == (
        f"Evaluation(return {result.return_}, regret {result.regret}, 1,000 lifetimes of 4 steps, "
        "seed 0)"
    )
    assert str(result.return_) in result._repr_html_()
    assert result == symla.meta_test(hand_made("random"), "bandit-arms-2", 1000, 4)
    comparison = symla.compare(["random"], ["bandit-arms-2"], lifetimes=2, length=4)
    assert repr(comparison) == (
        "Comparison(1 rules in 1 environments, 2 lifetimes of 4 steps, seeds 0)"
    )
    assert "bandit-arms-2" in comparison._repr_html_()
