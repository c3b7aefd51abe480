"""Generalised advantage estimation (Schulman et al. 2016)."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from symla.algorithms.parts.critics import known_next_observation, mean_where
from symla.core.types import Rollout


class Advantages(NamedTuple):
    """What the steps of a rollout were worth."""

    advantage: Float[Array, "steps W"]  # 0 where the step is not known
    target: Float[Array, "steps W"]  # for the value of the observation: advantage + V(s)
    known: Bool[Array, "steps W"]  # whether the step can be learned from: see `Rollout.known`


def advantages(
    rollout: Rollout,
    value: Callable[[Float[Array, "steps W A"]], Float[Array, "steps W"]],
    discount: float,
    trace: float,
) -> Advantages:
    """The advantage of each action, by a value function V and a trace (lambda).

        delta_t = r_t + discount V(s_{t+1}) - V(s_t)        V(s_{t+1}) is 0 after a termination
        A_t = delta_t + discount trace A_{t+1}              A_{t+1} is 0 after the end of an episode

    A truncated step is bootstrapped from what it led to, before the reset; so is the last one.
    Where nobody told what that was, the step is not known: the one before it is then bootstrapped
    from the last observation that is.
    """
    values = value(rollout.observation)
    next_values = jnp.where(rollout.terminated, 0.0, value(known_next_observation(rollout)))
    delta = jnp.where(rollout.known, rollout.reward + discount * next_values - values, 0.0)
    decay = jnp.where(rollout.done, 0.0, discount * trace)

    def step(
        later: Float[Array, " W"], now: tuple[Float[Array, " W"], Float[Array, " W"]]
    ) -> tuple[Float[Array, " W"], Float[Array, " W"]]:
        delta, decay = now
        advantage = delta + decay * later
        return advantage, advantage

    start = jnp.zeros_like(delta[0])
    advantage = jax.lax.scan(step, start, (delta, decay), reverse=True)[1]
    return Advantages(advantage, advantage + values, rollout.known)


def normalised(
    advantage: Float[Array, " batch"], known: Bool[Array, " batch"]
) -> Float[Array, " batch"]:
    """Of mean 0 and variance 1 over the steps that are known; as it is, if there is one only."""
    count = jnp.sum(known, dtype=jnp.float32)
    centred = advantage - mean_where(known, advantage)
    squares = jnp.sum(jnp.where(known, centred**2, 0.0))
    deviation = jnp.sqrt(squares / jnp.maximum(count - 1.0, 1.0))  # unbiased, as torch has it
    return jnp.where(count > 1.0, centred / (deviation + 1e-8), advantage)
