"""Meta-train SymLA on short corridors, test it on a longer one that it never saw, and plot it.

python examples/corridor.py                     # a minute or two on two cores
python examples/corridor.py --generations 2     # only to see that it runs
"""

import argparse
from dataclasses import dataclass

import jax
import jax.numpy as jnp

import symla
from symla import Discrete, Spec, Timestep


@dataclass(frozen=True)
class Corridor:
    """From the middle, 0 goes left, 1 right. The task says which end pays 1; the other costs 1."""

    cells: int

    @property
    def spec(self):
        return Spec(self.cells, Discrete(2), episode_length=2 * self.cells, one_hot=True)

    def sample_task(self, key):
        return jax.random.bernoulli(key)  # does the right end pay?

    def reset(self, key, task):
        middle = jnp.int32(self.cells // 2)
        return (middle, jnp.int32(0)), self.observe(middle)

    def step(self, key, task, state, action):
        cell, steps = state[0] + 2 * action - 1, state[1] + 1
        right, ended = cell >= self.cells - 1, (cell <= 0) | (cell >= self.cells - 1)
        reward = jnp.where(ended, jnp.where(right == task, 1.0, -1.0), 0.0)
        late = (steps >= 2 * self.cells) & ~ended
        return Timestep((cell, steps), self.observe(cell), reward, ended, late)

    def observe(self, cell):
        return (jnp.arange(self.cells) == cell).astype(jnp.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, nargs="+", default=[9, 15, 33], help="last: a test")
    parser.add_argument("--generations", type=int, default=200)
    parser.add_argument("--hidden-size", type=int, default=16)
    options = parser.parse_args()
    worlds = [Corridor(cells) for cells in options.cells]
    print(symla.testing.check_environment(worlds[0]))
    algorithm = symla.SymLA(options.hidden_size)
    rule = symla.meta_train(algorithm, worlds[:-1], generations=options.generations)
    for world in worlds:
        own = symla.meta_test(rule, world, lifetimes=256, length=300)
        chance = symla.meta_test(symla.load("random"), world, lifetimes=256, length=300)
        print(f"{world.cells} cells: {own.first.reward} a step, at the end {own.last.reward}")
    own.plot("corridor.png", {"random": chance}, title=f"a corridor of {world.cells} cells")
