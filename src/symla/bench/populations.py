"""MetaGenRL's population as meta-training runs it, and as its equations stand: one agent after the
other, one step and one update a call."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from symla.algorithms.base import Guidance
from symla.algorithms.metagenrl import MetaGenRL
from symla.bench.learner_cases import PopulationCase
from symla.lifetimes import learning
from symla.lifetimes.resolve import make
from symla.outer.through_critic import ThroughCritic
from symla.runtime.devices import replicate
from symla.training.generation import Training, init
from symla.training.loop import advance

LENGTH = 50  # steps of a generation, and updates
WARM = 3  # generations before the one that is timed: the first two compile


def population_rate(case: PopulationCase) -> float:
    """Steps per second of all agents in all of their environments, updates and those of the
    objective included, as meta-training runs them."""
    training = _training(case)
    key, state = replicate((jax.random.key(training.seed), init(training)))
    seconds = 0.0
    for number in range(WARM + 1):  # lives are where they were put, then where devices left them
        begun = time.perf_counter()
        done, one = replicate((jnp.int32(number), jnp.int32(1)))
        state, _ = jax.block_until_ready(advance(training, key, state, done, one))
        seconds = time.perf_counter() - begun
    return _steps(case) / seconds


def plain_rate(case: PopulationCase) -> float:
    """The same of the plain formulation, in which Python loops over agents and over steps."""
    generation = plain_generation(_training(case))
    generation()  # compiles
    begun = time.perf_counter()
    generation()
    return _steps(case) / (time.perf_counter() - begun)


def plain_generation(training: Training) -> Callable[[], Any]:
    """Each call is one more generation of agents that are never born again; the objective then."""
    algorithm: Any = training.algorithm
    outer: Any = training.outer
    environment = training.environments[0]
    params = algorithm.init_params(jax.random.key(training.seed), environment.spec)
    optimizer, number = outer.optimiser.init(params), 0
    guidance = Guidance(jnp.zeros(()), jnp.ones(()))
    keys = list(jax.random.split(jax.random.key(training.seed), outer.population))
    lives = [learning.born(algorithm, environment, params, key) for key in keys]

    @jax.jit
    def live(params: Any, life: Any) -> Any:
        life, rollout, _ = learning.collect(algorithm, environment, params, life, 1)
        return life._replace(learner=algorithm.remember(life.learner, rollout))

    @jax.jit
    def update(params: Any, learner: Any, number: Any, key: Any) -> Any:
        own = jax.random.fold_in(key, 2 * number)
        return algorithm.update_guided(params, learner, guidance, number, own)

    @jax.jit
    def gradient(params: Any, learner: Any, number: Any, key: Any) -> Any:
        own = jax.random.fold_in(key, 2 * number + 1)
        return outer.optimiser.clipped(jax.grad(algorithm.meta_objective)(params, learner, own))

    @jax.jit
    def step(params: Any, optimizer: Any, *gradients: Any) -> Any:
        mean = jax.tree.map(lambda *each: sum(each) / len(each), *gradients)
        return outer.optimiser.descend(params, mean, optimizer)

    def generation() -> Any:
        nonlocal params, optimizer, number
        for _ in range(training.length):
            lives[:] = [live(params, life) for life in lives]
        for _ in range(training.length):
            for agent, (life, key) in enumerate(zip(lives, keys)):
                learner = update(params, life.learner, number, key)
                lives[agent] = life._replace(learner=learner)
            number += 1
            if number % algorithm.policy_delay == 0:
                found = [gradient(params, x.learner, number, key) for x, key in zip(lives, keys)]
                params, optimizer = step(params, optimizer, *found)
        return jax.block_until_ready(params)

    return generation


def _training(case: PopulationCase) -> Training:
    environment, outer = make(case.environment), ThroughCritic(case.agents)
    return Training(MetaGenRL(), (environment,), outer, 1, LENGTH, seed=0)


def _steps(case: PopulationCase) -> int:
    """Of a generation."""
    return case.agents * LENGTH * MetaGenRL().workers
