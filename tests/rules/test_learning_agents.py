"""What learns from rollouts, in a person's own loop: it learns, is put to use, kept and refused."""

import gymnasium
import numpy as np
import pytest

import symla
from symla.core.errors import SettingError, SizeError, UnknownNameError
from symla.rules.loading import hand_made

TINY = "td3,units=(4,),batch=4,interval=5,random_steps=5,capacity=40"


def step(agent, env, observation):
    action = agent.act(observation)
    observation, reward, terminated, truncated, _ = env.step(action)
    agent.observe(reward, terminated, truncated, observation)
    return action, observation


@pytest.fixture(scope="module")
def env():
    return gymnasium.make("Pendulum-v1")


def test_it_learns_every_interval_and_not_where_it_is_put_to_use(env, tmp_path):
    agent = symla.load(TINY).agent(env)
    observation, _ = env.reset(seed=0)
    greedy = [agent.act(observation, explore=False)]
    for _ in range(11):
        _, observation = step(agent, env, observation)
    first, _ = env.reset(seed=0)
    greedy += [agent.act(first, explore=False) for _ in range(2)]
    agent.observe(0.0, False, False, first)  # ignored: nothing was learned from that action
    assert greedy[0] != greedy[1] == greedy[2]
    assert agent.steps == 11

    agent.save(tmp_path / "agent.safetensors")
    again = symla.Agent.load(tmp_path / "agent.safetensors", env)
    actions = []
    for one in (agent, again):
        seen, _ = env.reset(seed=1)
        actions.append([])
        for _ in range(7):
            action, seen = step(one, env, seen)
            actions[-1].append(action)
    np.testing.assert_array_equal(*actions)


def test_a_black_box_cannot_be_put_to_use_without_exploring(env):
    agent = symla.load("control").agent(env)
    with pytest.raises(SettingError, match=r"SymLA.*learns by what it does.*agent\.act\(obs"):
        agent.act(env.reset(seed=0)[0], explore=False)


def test_discrete_actions_are_refused_by_name():
    with pytest.raises(SizeError, match="TD3 learns continuous actions"):
        symla.load("td3").agent(gymnasium.make("CartPole-v1"))


def test_settings_stand_after_the_name():
    algorithm = hand_made("td3,preset=small,batch=7,critic_optimizer.clip=1.0").algorithm
    assert (algorithm.units, algorithm.batch) == ((64, 64), 7)
    assert algorithm.critic_optimizer.clip == 1.0
    assert algorithm.policy_optimizer.clip == 0.0


@pytest.mark.parametrize(
    "typed, said",
    [
        ("td3,preset=large", "there is no preset of td3 named 'large'.*known: paper, small"),
        ("random,preset=paper", "random has none"),
        ("td3,bach=3", "did you mean 'batch'"),
        ("td3,batch.size=3", "td3 has no batch with settings of its own"),
        ("td3,critic_optimizer.rate=3", "learning_rate"),
    ],
)
def test_mistaken_settings_are_named(typed, said):
    with pytest.raises((UnknownNameError, SettingError), match=said):
        symla.load(typed)
