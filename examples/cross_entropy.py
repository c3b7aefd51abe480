"""An outer loop of your own: the cross-entropy method searches for the meta-parameters of SymLA.

python examples/cross_entropy.py                    # a minute or two on two cores
python examples/cross_entropy.py --generations 1    # only to see that it runs
"""

import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

import symla
from symla.outer.base import Candidates
from symla.outer.returns import Returns, population_returns


class Searched(NamedTuple):
    params: Any  # the mean of the normal distribution that candidates are drawn from
    deviation: jax.Array  # of each number


@dataclass(frozen=True)
class CrossEntropy:
    population: int = 64
    best: int = 16  # candidates whose mean and deviation come next

    def init(self, params, environments=1):
        return Searched(params, jnp.full_like(ravel_pytree(params)[0], 0.5))

    def params(self, state):
        return state.params

    def ask(self, key, state):
        mean, shaped = ravel_pytree(state.params)
        noise = state.deviation * jax.random.normal(key, (self.population, mean.size))
        drawn = jax.vmap(shaped)(mean + noise)
        return Candidates(drawn, group=jnp.zeros(1, jnp.int32))  # all live the same lifetimes

    def lives(self, setting, params, key):
        return ()  # whole lifetimes: none goes on

    def evidence(self, setting, index, candidates, lives, key):
        world = setting.environments[index]
        return Returns(population_returns(setting, world, candidates, key)), ()

    def tell(self, state, candidates, evidence):
        best, shaped = jnp.argsort(-evidence.returns)[: self.best], ravel_pytree(state.params)[1]
        elite = jax.vmap(lambda x: ravel_pytree(x)[0])(candidates.params)[best]
        return Searched(shaped(jnp.mean(elite, axis=0)), jnp.std(elite, axis=0) + 0.02)


if __name__ == "__main__":
    generations = int(sys.argv[1]) if sys.argv[1:] else 100
    outer, bandit = CrossEntropy(), symla.make("bandit-arms-2")
    rule = symla.meta_train(symla.SymLA(8), bandit, outer=outer, generations=generations)
    print(f"regret in 100 pulls: {symla.meta_test(rule, bandit).regret}")
