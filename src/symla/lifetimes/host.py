"""The inner loop where the environment is on the host: many lifetimes at once, step by step.

All lifetimes act in one compiled call a step, then all environments step. What a lifetime perceives
and draws is what `lifetime` says.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from symla.algorithms.base import LearningAlgorithm
from symla.bridge.exchange import Stepped
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.pool import Pool, open_pool
from symla.core.distributions import are_actions
from symla.core.errors import DivergenceError
from symla.core.trees import with_axes_of
from symla.core.types import Params, Spec, State
from symla.lifetimes.percepts import (
    NOT_FINITE,
    LastStep,
    LifetimeKeys,
    first_step,
    host_spec,
    lifetime_keys,
    next_percept,
)
from symla.runtime.devices import placed, replicate, spread


class HostTransition(NamedTuple):
    """What happened in a step of all lifetimes: a `Transition`, in numpy."""

    action: Int[np.ndarray, " batch"] | Float[np.ndarray, "batch B"]
    reward: Float[np.ndarray, " batch"]
    terminated: Bool[np.ndarray, " batch"]
    truncated: Bool[np.ndarray, " batch"]


class Now(NamedTuple):
    """Lifetimes between two steps; arrays with a leading axis for them."""

    learner: State  # of the learning algorithm
    last: LastStep  # what the algorithm sees next
    episode: Int[np.ndarray, " batch"]  # number of the one under way, from 0


def host_lifetimes(
    algorithm: LearningAlgorithm,
    environment: GymnasiumEnvironment,
    params: Params,
    keys: Key[Array, " batch"],
    length: int,
    first: int = 0,
    candidates: int = 0,
) -> Iterator[HostTransition]:
    """Live one lifetime per key, of `length` steps. Yields, at each step, what happened in all.

    Lifetime i is number `first` + i in messages. Raises FaultyEnvironmentError in the middle, and
    DivergenceError if no action could be sampled: what was yielded before stands.

    With `candidates` the meta-parameters have a leading axis of so many, and each candidate lives
    an equal share of the keys, in their order; an action that could not be sampled then earns NaN,
    as in `lifetime`, and that lifetime goes on with some other action.
    """
    own = jax.vmap(lifetime_keys)(keys)
    zeros = np.zeros(len(keys), np.int32)
    seeds = np.asarray(episode_seeds(own.episode, zeros))
    with open_pool(environment, seeds.tolist(), first) as pool:
        spec = host_spec(*pool.sizes)
        learner = init_learners(algorithm, spec, params, own.learner, candidates)
        start = Now(learner, first_step(pool.reset(), spec.action), zeros)
        acting = acting_of(algorithm, spec, params, own.action, candidates)
        for now, _ in lived_steps(
            acting, pool, own, start, zeros, length, first, tolerant=bool(candidates)
        ):
            last = now.last
            yield HostTransition(last.action, last.reward, last.terminated, last.truncated)


Acting = Callable[[State, LastStep, np.int32, Int[np.ndarray, " batch"]], tuple[Any, State]]
"""From learners, what they see, the clock and their ages to what all do, and learners after it."""


def acting_of(
    algorithm: LearningAlgorithm,
    spec: Spec,
    params: Params,
    keys: Key[Array, " batch"],
    candidates: int,
) -> Acting:
    """How lifetimes act whose actions follow from `keys`. The learners are donated."""
    if candidates:  # the same at every step
        params, keys = placed(params), replicate(keys)

    def acting(
        learner: State, last: LastStep, clock: np.int32, ages: Int[np.ndarray, " batch"]
    ) -> tuple[Array, State]:
        return _act(algorithm, spec, params, learner, last, clock, ages, keys, candidates)

    return acting


def lived_steps(
    acting: Acting,
    pool: Pool,
    keys: LifetimeKeys,
    now: Now,
    ages: Int[np.ndarray, " batch"],
    steps: int,
    first: int,
    *,
    tolerant: bool,
) -> Iterator[tuple[Now, Stepped]]:
    """Live on for so many steps, in a pool whose environments are where `now` says; `ages` are the
    steps lived before it. Yields, after each step, where lifetimes are and what environments
    answered.

    Where no action could be sampled a `tolerant` one earns NaN, as `host_lifetimes` has it for
    candidates; otherwise DivergenceError is raised.
    """
    learner, last, episode = now
    seeds = np.asarray(episode_seeds(keys.episode, episode + 1))  # should this one end
    for t in range(steps):
        acted, learner = acting(learner, last, np.int32(t), ages + np.int32(t))
        action = np.asarray(acted)
        valid = are_actions(action)
        if tolerant:
            action = np.where(with_axes_of(action, valid), action, np.zeros_like(action))
        elif not valid.all():
            number = first + int(np.flatnonzero(~valid)[0]) + 1
            where = f" in lifetime {number}, at step {t + 1}"
            raise DivergenceError(NOT_FINITE.format(where=where))
        step = pool.step(action, seeds)
        reward = np.where(valid, step.reward, np.float32(np.nan))
        ends = step.terminated, step.truncated
        done = step.terminated | step.truncated
        if done.any():
            episode = episode + done
            seeds = np.asarray(episode_seeds(keys.episode, episode + 1))
        last = LastStep(step.observation, action, reward, *ends, step.final_observation)
        yield Now(learner, last, episode), step


@jax.jit
def episode_seeds(
    keys: Key[Array, " batch"], episode: Int[Array, " batch"]
) -> Int[Array, " batch"]:
    """Of each lifetime's episode: 31 bits, which every environment takes."""
    bits = jax.vmap(lambda key, n: jax.random.bits(jax.random.fold_in(key, n), dtype=jnp.uint32))
    return (bits(keys, episode) >> jnp.uint32(1)).astype(jnp.int32)


def is_on_host(environment: Any) -> bool:
    """Whether its lifetimes are lived here, and not in JAX."""
    return isinstance(environment, GymnasiumEnvironment)


def spec_of(environment: Any) -> Spec:
    """Of an environment in JAX, or on the host, where one must be made to know its sizes."""
    return _host_spec(environment) if is_on_host(environment) else environment.spec


@cache
def _host_spec(environment: GymnasiumEnvironment) -> Spec:
    with Pool(environment, [0]) as pool:
        return host_spec(*pool.sizes)


def _over_lifetimes(function: Callable[..., Any], params: Params, candidates: int, *each: Any):
    """`function(params, *each)` of all lifetimes; `params` are those of each candidate, if any."""
    if not candidates:
        return jax.vmap(partial(function, params))(*each)

    def of_candidate(one: Any) -> Any:
        return jax.vmap(partial(function, one[0]))(*one[1])

    shares = jax.tree.map(lambda x: x.reshape(candidates, -1, *x.shape[1:]), each)
    found = spread(jax.vmap(of_candidate))((params, shares))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)


@partial(jax.jit, static_argnames=("algorithm", "spec", "candidates"))
def init_learners(
    algorithm: LearningAlgorithm,
    spec: Spec,
    params: Params,
    keys: Key[Array, " batch"],
    candidates: int,
) -> State:
    """Of learning algorithms without memory; `candidates` as `host_lifetimes` has it."""

    def one(params: Params, key: Key[Array, ""]) -> State:
        return algorithm.init_state(params, key, spec)

    return _over_lifetimes(one, params, candidates, keys)


@partial(jax.jit, static_argnames=("algorithm", "spec", "candidates"), donate_argnames="state")
def _act(
    algorithm: LearningAlgorithm,
    spec: Spec,
    params: Params,
    state: State,
    last: LastStep,
    clock: Int[Array, ""],
    ages: Int[Array, " batch"],
    keys: Key[Array, " batch"],
    candidates: int,
) -> tuple[Array, State]:
    def one(
        params: Params, state: State, last: LastStep, age: Array, key: Key[Array, ""]
    ) -> tuple[Array, State]:
        percept = next_percept(*last, spec)
        return algorithm.step(params, state, percept, clock, jax.random.fold_in(key, age))

    return _over_lifetimes(one, params, candidates, state, last, ages, keys)
