"""A rule that ships, in a loop of your own over an environment of Gymnasium.

    python examples/rule_in_gymnasium.py
    python examples/rule_in_gymnasium.py --rule q-learning --environment FrozenLake-v1

It learns in one lifetime over all episodes. What it has learned is kept in agent.safetensors.
"""

import argparse
from itertools import pairwise

import gymnasium

import symla

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A rule in an environment of Gymnasium.")
    parser.add_argument("--rule", default="control", help="shipped or hand-made, or a run folder")
    parser.add_argument("--environment", default="CartPole-v1", help="of Gymnasium")
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()

    falls = options.environment.startswith("CartPole")
    settings = {"sutton_barto_reward": True} if falls else {}
    # Rewards of 1 at every step say nothing about what is good; these are -1 for a fall.
    env = gymnasium.make(options.environment, **settings)
    agent = symla.load(options.rule).agent(env)
    ends = [0]
    observation, _ = env.reset(seed=0)
    for step in range(1, options.steps + 1):
        action = agent.act(observation)
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(reward, terminated, truncated, observation)
        if terminated or truncated:
            ends.append(step)
            observation, _ = env.reset()

    lengths = [end - start for start, end in pairwise(ends)]
    print(f"{len(lengths)} episodes, their lengths: {lengths}")
    agent.save("agent.safetensors")
    again = symla.Agent.load("agent.safetensors", env)  # goes on in the same lifetime
    print(f"its next action would be {again.act(observation)}")
