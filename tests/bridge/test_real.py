"""Gymnasium's own environments, over some hundred steps."""

import warnings

import gymnasium
import jax
import pytest

import symla
from symla.algorithms import UCB1, MetaRNN, SymLA, Thompson
from symla.core.types import Discrete, Spec
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # one raised inside of Box2D's import ends the process
    import Box2D  # noqa: F401

TAXI = "Taxi-v4" if "Taxi-v4" in gymnasium.registry else "Taxi-v3"
REAL = {  # id -> sizes
    "CartPole-v1": (4, 2),
    "Acrobot-v1": (6, 3),
    "MountainCar-v0": (2, 3),
    "FrozenLake-v1": (16, 4),
    TAXI: (500, 6),
    "LunarLander-v3": (8, 4),
    "HalfCheetah-v5": (17, 6),  # six torques
}


def fresh_symla():
    algorithm = SymLA(hidden_size=4, message_size=2, initial_std=1.0)
    spec = Spec(1, Discrete(2))
    return Rule(algorithm, algorithm.init_params(jax.random.key(1), spec))


SLOW = "Acrobot-v1", "MountainCar-v0", TAXI
CASES = [pytest.param(x, marks=pytest.mark.slow if x in SLOW else ()) for x in REAL]


@pytest.mark.parametrize("name", CASES)
def test_meta_test_runs_in_them(name):
    result = symla.meta_test(fresh_symla(), f"gymnasium:{name}", lifetimes=3, length=250, seed=2)
    assert (result.lifetimes, result.steps[-1]) == (3, 250)
    assert result.regret is None
    if name == "CartPole-v1":
        assert result.return_.mean == 250
        assert result.last.episode_return == result.last.episode_length > 5
    if name == TAXI:
        assert result.return_.mean <= -250  # each step costs 1
    if name == "HalfCheetah-v5":  # torques cost, and nothing falls
        assert result.first.ends.mean == 0
        assert -250 < result.return_.mean < 0
    if name in ("Acrobot-v1", "MountainCar-v0"):
        assert -250 <= result.return_.mean <= -240


@pytest.mark.parametrize("name", REAL)
def test_an_agent_runs_in_a_loop(name):
    with gymnasium.make(name) as env:
        agent = symla.load("bandits").agent(env)
        assert (agent.spec.observation_size, agent.spec.action_size) == REAL[name]
        observation, _ = env.reset(seed=0)
        for _ in range(50):
            action = agent.act(observation)
            observation, reward, terminated, truncated, _ = env.step(action)
            agent.observe(reward, terminated, truncated)
            if terminated or truncated:
                observation, _ = env.reset()
    assert agent.steps == 50


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", [UCB1(), Thompson(), MetaRNN(hidden_size=4)], ids=repr)
def test_other_learning_algorithms_run_in_them(algorithm):
    params = algorithm.init_params(jax.random.key(0), Spec(4, Discrete(2)))
    rule = Rule(algorithm, params)
    assert symla.meta_test(rule, "gymnasium:CartPole-v1", 2, 5).return_.mean == 5


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result_and_another_does_not():
    def test(seed):
        return symla.meta_test(hand_made("random"), "gymnasium:CartPole-v1", 20, 60, seed)

    first = test(0)
    assert first == test(0)
    assert first != test(1)
    assert first.to_json()["last_fifth"]["episode_length"] > 5
