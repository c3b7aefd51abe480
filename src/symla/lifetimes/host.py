"""The inner loop where the environment is on the host: many lifetimes at once, step by step.

All lifetimes act in one compiled call a step, then all environments step. What a lifetime perceives
and draws is what `lifetime` says.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from symla.algorithms.base import LearningAlgorithm
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.pool import Pool
from symla.core.distributions import are_actions
from symla.core.errors import DivergenceError
from symla.core.types import Params, Spec, State
from symla.lifetimes.percepts import (
    NOT_FINITE,
    LastStep,
    act,
    first_step,
    host_spec,
    lifetime_keys,
)


class HostTransition(NamedTuple):
    """What happened in a step of all lifetimes: a `Transition`, in numpy."""

    action: Int[np.ndarray, " batch"] | Float[np.ndarray, "batch B"]
    reward: Float[np.ndarray, " batch"]
    terminated: Bool[np.ndarray, " batch"]
    truncated: Bool[np.ndarray, " batch"]


def host_lifetimes(
    algorithm: LearningAlgorithm,
    environment: GymnasiumEnvironment,
    params: Params,
    keys: Key[Array, " batch"],
    length: int,
    first: int = 0,
) -> Iterator[HostTransition]:
    """Live one lifetime per key, of `length` steps. Yields, at each step, what happened in all.

    Lifetime i is number `first` + i in messages. Raises FaultyEnvironmentError in the middle, and
    DivergenceError if no action could be sampled: what was yielded before stands.
    """
    lives = jax.vmap(lifetime_keys)(keys)
    episode = np.zeros(len(keys), np.int32)
    seeds = np.asarray(_episode_seeds(lives.episode, episode))
    with Pool(environment, seeds.tolist(), first) as pool:
        spec = host_spec(*pool.sizes)
        state = _init_states(algorithm, spec, params, lives.learner)
        last = first_step(pool.reset(), spec.action)
        seeds = np.asarray(_episode_seeds(lives.episode, episode + 1))  # should this one end
        for t in range(length):
            action, state = _act(algorithm, spec, params, state, last, np.int32(t), lives.action)
            action = np.asarray(action)
            if not (valid := are_actions(action)).all():
                number = first + int(np.flatnonzero(~valid)[0]) + 1
                where = f" in lifetime {number}, at step {t + 1}"
                raise DivergenceError(NOT_FINITE.format(where=where))
            now = pool.step(action, seeds)
            done = now.terminated | now.truncated
            if done.any():
                episode += done
                seeds = np.asarray(_episode_seeds(lives.episode, episode + 1))
            ends = now.terminated, now.truncated
            last = LastStep(now.observation, action, now.reward, *ends, now.final_observation)
            yield HostTransition(action, now.reward, *ends)


@jax.jit
def _episode_seeds(
    keys: Key[Array, " batch"], episode: Int[Array, " batch"]
) -> Int[Array, " batch"]:
    """Of each lifetime's episode: 31 bits, which every environment takes."""
    bits = jax.vmap(lambda key, n: jax.random.bits(jax.random.fold_in(key, n), dtype=jnp.uint32))
    return (bits(keys, episode) >> jnp.uint32(1)).astype(jnp.int32)


@partial(jax.jit, static_argnames=("algorithm", "spec"))
def _init_states(
    algorithm: LearningAlgorithm, spec: Spec, params: Params, keys: Key[Array, " batch"]
) -> State:
    return jax.vmap(lambda key: algorithm.init_state(params, key, spec))(keys)


@partial(jax.jit, static_argnames=("algorithm", "spec"), donate_argnames="state")
def _act(
    algorithm: LearningAlgorithm,
    spec: Spec,
    params: Params,
    state: State,
    last: LastStep,
    t: Int[Array, ""],
    keys: Key[Array, " batch"],
) -> tuple[Array, State]:
    def one(state: State, last: LastStep, key: Key[Array, ""]) -> tuple[Array, State]:
        return act(algorithm, spec, params, state, last, t, key)

    return jax.vmap(one)(state, last, keys)
