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

    cells: int = 9

    @property
    def spec(self):
        return Spec(self.cells, Discrete(2), episode_length=2 * self.cells, one_hot=True)

    def sample_task(self, key):
        return jax.random.bernoulli(key)

    def reset(self, key, task):
        state = jnp.int32(self.cells // 2), jnp.int32(0)
        return state, self.observe(state[0])

    def step(self, key, task, state, action):
        cell, steps = state[0] + 2 * action - 1, state[1] + 1
        right = cell >= self.cells - 1
        ended = right | (cell <= 0)
        reward = jnp.where(ended, jnp.where(right == task, 1.0, -1.0), 0.0)
        timeout = (steps >= 2 * self.cells) & ~ended
        return Timestep((cell, steps), self.observe(cell), reward, ended, timeout)

    def observe(self, cell):
        return (jnp.arange(self.cells) == cell).astype(jnp.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Meta-train SymLA on corridors.")
    parser.add_argument("--train", type=int, nargs="+", default=[9, 15], help="cells")
    parser.add_argument("--test", type=int, default=33, help="cells")
    parser.add_argument("--generations", type=int, default=200)
    parser.add_argument("--hidden-size", type=int, default=16, help="of SymLA")
    options = parser.parse_args()
    trained = [Corridor(cells) for cells in options.train]
    print(symla.testing.check_environment(trained[0]))
    algorithm = symla.SymLA(options.hidden_size)
    rule = symla.meta_train(algorithm, trained, generations=options.generations)
    for world in (*trained, Corridor(options.test)):
        tested = [symla.meta_test(who, world, 256, 300) for who in (rule, symla.load("random"))]
        first, last, random = tested[0].first.reward, tested[0].last.reward, tested[1].return_
        print(
            f"{world.cells} cells: {first} a step, at the end {last}; random {random.mean / 300:.3f}"
        )
    tested[0].plot("corridor.png", {"random": tested[1]}, title=f"{world.cells} cells")
