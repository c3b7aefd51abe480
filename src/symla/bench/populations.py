"""Populations as meta-training runs them, and as their equations stand.

MetaGenRL's plain formulation is one agent after the other, one step and one update a call. LPG's is
that of its public forms in JAX: agents side by side, and one function, differentiated as a whole,
in which they act, learn and are judged.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from symla.algorithms.base import Guidance
from symla.algorithms.lpg import LPG
from symla.algorithms.metagenrl import MetaGenRL
from symla.algorithms.parts.linear_value import init_value, refitted
from symla.bench.learner_cases import PopulationCase
from symla.core.optimisers import Optimiser
from symla.lifetimes import learning
from symla.lifetimes.resolve import make
from symla.outer.through_critic import ThroughCritic
from symla.outer.through_updates import ThroughUpdates
from symla.runtime.devices import replicate
from symla.training.generation import Training, init
from symla.training.loop import advance

LENGTH = 50  # steps of a generation of MetaGenRL, and updates
LPG_WORKERS = 32  # environments of an agent
LPG_LIFETIME = 1_200  # steps of it in each
WARM = 3  # generations before the one that is timed: the first two compile


def population_rate(case: PopulationCase) -> float:
    """Steps per second of all agents in all of their environments, updates and those of the
    objective included, as meta-training runs them."""
    return _steps(case) / generation_seconds(_training(case))[0]


def generation_seconds(training: Training, repeats: int = 1) -> list[float]:
    """How long each of so many generations takes, as meta-training runs them, after those that
    compile."""
    key, state = replicate((jax.random.key(training.seed), init(training)))
    seconds = []
    # Lives are where they were put, then where devices left them.
    for number in range(WARM + repeats):
        begun = time.perf_counter()
        done, one = replicate((jnp.int32(number), jnp.int32(1)))
        state, _ = jax.block_until_ready(advance(training, key, state, done, one))
        seconds.append(time.perf_counter() - begun)
    return seconds[WARM:]


def plain_rate(case: PopulationCase) -> float:
    """The same of the plain formulation."""
    plain = plain_lpg_generation if case.algorithm == "lpg" else plain_generation
    generation = plain(_training(case))
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


def plain_lpg_generation(training: Training) -> Callable[[], Any]:
    """Each call is one more generation of agents that are never born again; the rule then."""
    algorithm: Any = training.algorithm
    outer: Any = training.outer
    environment = training.environments[0]
    params = algorithm.init_params(jax.random.key(training.seed), environment.spec)
    optimizer = outer.optimiser.init(params)
    updates = training.length // algorithm.interval - 1
    keys = jax.random.split(jax.random.key(training.seed), outer.population)
    lives = jax.vmap(partial(learning.born, algorithm, environment, params))(keys)
    values = jax.vmap(lambda _: init_value(environment.spec))(keys)

    def lived(params: Any, life: Any, value: Any) -> Any:
        """The objective of one agent; its life and the value of its states after it."""
        rollouts: list[Any] = []
        losses: list[Any] = []
        for number in range(updates + 1):
            life, rollout, _ = learning.collect(
                algorithm, environment, params, life, algorithm.interval
            )
            rollouts.append(rollout)
            if number < updates:
                learner, lost = algorithm.learn_with_penalty(
                    params, life.learner, rollout, life.age, jax.random.wrap_key_data(life.key)
                )
                life, losses = life._replace(learner=learner), [*losses, lost]
        whole = jax.tree.map(lambda *x: jnp.concatenate(x), *rollouts)
        whole, value = jax.lax.stop_gradient((whole, value))
        advantage, value = refitted(value, whole, outer.discount, outer.trace)
        log_probability, gained = algorithm.judge(
            params, life.learner, jax.lax.stop_gradient(rollouts[-1])
        )
        judged = jnp.mean(log_probability * advantage[-algorithm.interval :]) + gained
        return judged - jnp.mean(jnp.stack(losses)), (life, value)

    @jax.jit
    def step(params: Any, optimizer: Any, lives: Any, values: Any) -> Any:
        slope = jax.grad(lived, has_aux=True)
        gradient, (lives, values) = jax.vmap(partial(slope, params))(lives, values)
        mean = jax.tree.map(
            lambda x: jnp.mean(x, axis=0), jax.vmap(outer.optimiser.clipped)(gradient)
        )
        params, optimizer = outer.optimiser.ascend(params, mean, optimizer)
        return params, optimizer, *jax.lax.stop_gradient((lives, values))

    def generation() -> Any:
        nonlocal params, optimizer, lives, values
        params, optimizer, lives, values = step(params, optimizer, lives, values)
        return jax.block_until_ready(params)

    return generation


def _training(case: PopulationCase) -> Training:
    environment = make(case.environment)
    if case.algorithm == "lpg":
        algorithm = LPG(workers=LPG_WORKERS)
        outer = ThroughUpdates(case.agents, Optimiser(1e-3, clip=1.0), lifetime=LPG_LIFETIME)
        return Training(algorithm, (environment,), outer, 1, 6 * algorithm.interval, seed=0)
    return Training(MetaGenRL(), (environment,), ThroughCritic(case.agents), 1, LENGTH, seed=0)


def _steps(case: PopulationCase) -> int:
    """Of a generation."""
    training = _training(case)
    algorithm: Any = training.algorithm
    return case.agents * training.length * algorithm.workers
