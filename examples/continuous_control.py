"""Continuous control: TD3 and PPO learn to swing up a pendulum, evaluated without exploring.

    python examples/continuous_control.py                   # a minute or two on two cores
    python examples/continuous_control.py --length 1000     # only to see that it runs

Actions are vectors in [-1, 1], scaled to the bounds of the environment. Both live in JAX here; the
trained agent of the last lines goes on in Gymnasium's own pendulum.
"""

import argparse

import gymnasium

import symla

AGENTS = ["td3,preset=small", "ppo,preset=pendulum"]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="TD3 and PPO on a pendulum.")
    parser.add_argument("--length", type=int, default=20_000, help="steps each learns for")
    options = parser.parse_args()

    pendulum = symla.make("pendulum")
    print(f"{pendulum.spec.observation_size} observations, actions are {pendulum.spec.action}")
    for name in AGENTS:
        result = symla.meta_test(symla.load(name), pendulum, 2, options.length)
        print(f"{name}: returns of evaluation episodes at the end {result.episodes.final}")

    env = gymnasium.make("Pendulum-v1")
    agent = symla.load(AGENTS[0]).agent(env)
    observation, _ = env.reset(seed=0)
    for _ in range(options.length // 10):
        action = agent.act(observation)
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(reward, terminated, truncated, observation)
        if terminated or truncated:
            observation, _ = env.reset()
    print(f"its action without exploring: {agent.act(observation, explore=False)}")
