"""MetaGenRL on an environment of your own: agents train the objective that they learn by.

python examples/learn_an_objective.py                    # minutes, one or two of them to compile
python examples/learn_an_objective.py --generations 2    # only to see that it runs
"""

import argparse
from dataclasses import dataclass

import jax
import jax.numpy as jnp

import symla
from symla import Continuous, Spec, Timestep
from symla.algorithms import MetaGenRL
from symla.outer import ThroughCritic


@dataclass(frozen=True)
class Rail:
    """A cart on a rail is to be where the lifetime's target is; the action is its speed."""

    steps: int = 20

    @property
    def spec(self):
        return Spec(2, Continuous(1), episode_length=self.steps)

    def sample_task(self, key):
        return jax.random.uniform(key, minval=-1.0)  # the target

    def reset(self, key, task):
        state = jax.random.uniform(key, minval=-1.0), jnp.int32(0)
        return state, self.observe(task, state)

    def step(self, key, task, state, action):
        place, steps = jnp.clip(state[0] + 0.2 * action[0], -1.5, 1.5), state[1] + 1
        state = place, steps
        reward, late = -jnp.abs(place - task), steps >= self.steps
        return Timestep(state, self.observe(task, state), reward, jnp.bool_(False), late)

    def observe(self, task, state):
        return jnp.stack([state[0], task])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Meta-learn an objective.")
    parser.add_argument("--generations", type=int, default=100)
    parser.add_argument("--agents", type=int, default=18)
    parser.add_argument("--length", type=int, default=2_400, help="steps of a fresh agent")
    options = parser.parse_args()
    outer = ThroughCritic(population=options.agents, generations=options.generations)
    rule = symla.meta_train(MetaGenRL(), Rail(), outer=outer, generations=options.generations)
    for name, who in {"learned": rule, "by hand": symla.load("reinforce-off-policy")}.items():
        result = symla.meta_test(who, Rail(), 4, options.length)  # fresh agents, L frozen
        print(f"{name}: returns of evaluation episodes at the end {result.episodes.final}")
