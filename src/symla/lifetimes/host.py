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
from symla.core.types import Params, Spec, State, Trace
from symla.lifetimes.percepts import NO_ACTION, act, lifetime_keys


def host_lifetimes(
    algorithm: LearningAlgorithm,
    environment: GymnasiumEnvironment,
    params: Params,
    keys: Key[Array, " batch"],
    length: int,
    first: int = 0,
) -> Iterator[Trace]:
    """Live `length` steps of a lifetime a key; yields what happened at each step, of all lifetimes.

    Lifetime i is number `first` + i in messages. Raises FaultyEnvironmentError in the middle: what
    was yielded before stands.
    """
    lives = jax.vmap(lifetime_keys)(keys)
    seeds = jax.device_get(jax.vmap(_environment_seed)(lives.reset)).tolist()
    with Pool(environment, seeds, first) as pool:
        spec = Spec(pool.observation_size, pool.action_size)
        state = _init_states(algorithm, spec, params, lives.learner)
        last = _Last(
            pool.reset(),
            np.full(len(seeds), NO_ACTION, np.int32),
            np.zeros(len(seeds), np.float32),
            np.zeros(len(seeds), bool),
        )
        for t in range(length):
            action, state = _act(algorithm, spec, params, state, last, np.int32(t), lives.action)
            action = np.asarray(action)
            observation, reward, terminated, truncated = pool.step(action)
            last = _Last(observation, action, reward, terminated | truncated)
            yield Trace(action, reward, terminated, truncated)


class _Last(NamedTuple):
    """What the last step left behind."""

    observation: Float[np.ndarray, "batch A"]
    action: Int[np.ndarray, " batch"]
    reward: Float[np.ndarray, " batch"]
    done: Bool[np.ndarray, " batch"]


def _environment_seed(key: Key[Array, ""]) -> Array:
    """31 bits: what every environment takes."""
    return jax.random.bits(key, dtype=jnp.uint32) >> jnp.uint32(1)


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
    last: _Last,
    t: Int[Array, ""],
    keys: Key[Array, " batch"],
) -> tuple[Int[Array, " batch"], State]:
    def one(state: State, last: _Last, key: Key[Array, ""]) -> tuple[Array, State]:
        return act(algorithm, spec, params, state, *last, t, key)

    return jax.vmap(one)(state, last, keys)
