"""The shipped objective teaches fresh agents, as its card says."""

import gymnasium
import pytest

from symla.experiments.learned_table import METAGENRL, measure
from symla.experiments.metagenrl.lessons import TEST_SEED, beside
from symla.rules.loading import load


@pytest.mark.slow
def test_fresh_agents_learn_more_by_it_than_by_a_random_one():
    rule = load("objective")
    learned, random = (
        measure(each, "point-navigation,limit=1", 99, 4, 1000)["end"]
        for each in (rule, beside(rule.algorithm, "random objective", 0))
    )
    assert learned > random + 0.2


@pytest.mark.slow
def test_it_teaches_in_gymnasium_with_other_sizes():
    with gymnasium.make("Pendulum-v1") as env:
        agent = load("objective,preset=simulators,random_steps=10,batch=8").agent(env)
        observation, _ = env.reset(seed=0)
        for _ in range(60):
            action = agent.act(observation)
            observation, reward, terminated, truncated, _ = env.step(action)
            agent.observe(reward, terminated, truncated, observation)
        assert env.action_space.contains(agent.act(observation, explore=False))


def test_its_card_says_what_it_reached():
    card = load("objective").card
    assert set(card["tested"]) == set(METAGENRL.families)
    assert len(card["good"]) + len(card["not_good"]) == len(card["tested"])
    assert "dirty" not in card["tested_by"]["revision"]


@pytest.mark.slow
@pytest.mark.parametrize("family", METAGENRL.families)
def test_its_card_is_true_everywhere(family):
    rule = load("objective")
    (stored,) = rule.card["tested"][family][METAGENRL.learned]
    found = measure(rule, family, TEST_SEED, METAGENRL.agents, METAGENRL.steps)
    assert found["end"] == pytest.approx(stored["end"], abs=0.1 * max(1.0, abs(stored["end"])))
