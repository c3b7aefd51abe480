"""Meta-train SymLA on short corridors, test it on a longer one that it never saw, and plot it.

    python examples/corridor.py                     # a minute or two on two cores
    python examples/corridor.py --generations 2     # only to see that it runs

The agent starts in the middle. One end pays, the other costs, and which one is drawn once a
lifetime: so it must find out in the first episodes, and make use of it in all later ones. The class
also trains from the shell, in this folder: symla train corridor:Corridor
"""

import argparse
from dataclasses import dataclass

import jax
import jax.numpy as jnp

import symla
from symla import Discrete, Spec, Timestep


@dataclass(frozen=True)
class Corridor:
    """`cells` in a row. Action 0 goes left, 1 right; an end earns 1 or -1, the other the opposite.

    The observation is the cell, one-hot. The task is whether the right end pays.
    """

    cells: int = 9

    @property
    def spec(self):
        return Spec(self.cells, Discrete(2), episode_length=2 * self.cells, one_hot=True)

    def sample_task(self, key):
        return jax.random.bernoulli(key)

    def reset(self, key, task):
        middle, steps = jnp.int32(self.cells // 2), jnp.int32(0)
        return (middle, steps), self.observe(middle)

    def step(self, key, task, state, action):
        cell, steps = state[0] + 2 * action - 1, state[1] + 1
        left, right = cell <= 0, cell >= self.cells - 1
        pays = jnp.where(task, 1.0, -1.0)  # at the right end
        reward = jnp.where(right, pays, jnp.where(left, -pays, 0.0))
        ended = left | right
        timeout = (steps >= 2 * self.cells) & ~ended
        return Timestep((cell, steps), self.observe(cell), reward, ended, timeout)

    def observe(self, cell):
        return (jnp.arange(self.cells) == cell).astype(jnp.float32)


def main():
    parser = argparse.ArgumentParser(description="Meta-train SymLA on corridors.")
    parser.add_argument("--train", type=int, nargs="+", default=[9, 15], help="cells")
    parser.add_argument("--test", type=int, default=33, help="cells")
    parser.add_argument("--generations", type=int, default=200)
    parser.add_argument("--lifetimes", type=int, default=256, help="of each test")
    parser.add_argument("--hidden-size", type=int, default=16, help="of SymLA")
    options = parser.parse_args()

    corridors = [Corridor(cells) for cells in options.train]
    print(symla.testing.check_environment(corridors[0]))
    algorithm = symla.SymLA(options.hidden_size)
    rule = symla.meta_train(algorithm, corridors, generations=options.generations)
    for cells in (*options.train, options.test):
        corridor = Corridor(cells)
        learned, random = (
            symla.meta_test(who, corridor, options.lifetimes, length=300)
            for who in (rule, symla.load("random"))
        )
        print(
            f"{cells} cells: {learned.first.reward.mean:+.3f} a step at first, "
            f"{learned.last.reward.mean:+.3f} at the end (random {random.last.reward.mean:+.3f}); "
            f"learns: {learned.learns(random)}"
        )
    learned.plot("corridor.png", {"random": random}, title=f"a corridor of {cells} cells")
    print("corridor.png")


if __name__ == "__main__":
    main()
