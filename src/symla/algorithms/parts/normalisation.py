"""Running normalisation of observations and rewards, as VecNormalize of Stable-Baselines3 has it.

Statistics are a part of the learner's state. They stay as they are while it acts, and take in a
rollout when it learns; VecNormalize updates them at each step.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.types import Rollout, Spec

LIMIT = 10.0  # of normalised numbers
EPSILON = 1e-8  # added to variances
FIRST_COUNT = 1e-4  # how many numbers the first mean of 0 and variance of 1 count as


class Statistics(NamedTuple):
    """Mean and variance of all that was seen, in each component."""

    mean: Float[Array, "*components"]
    variance: Float[Array, "*components"]
    seen: Float[Array, ""]  # how many there were


class Normalisation(NamedTuple):
    """The statistics of a learner. What is None is not normalised."""

    observation: Statistics | None
    returns: Statistics | None  # of running discounted returns
    running: Float[Array, " W"] | None  # those returns, in each environment


def init(spec: Spec, workers: int, *, observations: bool, rewards: bool) -> Normalisation:
    """Statistics of nothing: what they normalise is only clipped."""
    return Normalisation(
        _nothing((spec.observation_size,)) if observations else None,
        _nothing(()) if rewards else None,
        jnp.zeros(workers) if rewards else None,
    )


def observation(state: Normalisation, x: Float[Array, "*batch A"]) -> Float[Array, "*batch A"]:
    """(x - mean) / deviation, within +-10."""
    if state.observation is None:
        return x
    mean = jnp.broadcast_to(state.observation.mean, x.shape)
    return _scaled(x - mean, state.observation)


def reward(state: Normalisation, x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The reward divided by the deviation of the discounted returns, within +-10."""
    return x if state.returns is None else _scaled(x, state.returns)


def learned(
    state: Normalisation, rollout: Rollout, discount: float
) -> tuple[Normalisation, Rollout]:
    """The statistics with those of a rollout, and it as it is to be learned from: observations
    normalised as they were when it was acted, rewards by all that is known."""
    after = updated(state, rollout, discount)
    return after, normalised(after._replace(observation=state.observation), rollout)


def normalised(state: Normalisation, steps: Any) -> Any:
    """Observations and rewards of steps: of a rollout, or of `Experience`."""
    return steps._replace(
        observation=observation(state, steps.observation),
        reward=reward(state, steps.reward),
        next_observation=observation(state, steps.next_observation),
    )


def updated(state: Normalisation, rollout: Rollout, discount: float) -> Normalisation:
    """The statistics with those of a rollout, which is as the environments gave it."""
    if state.observation is not None:
        state = state._replace(observation=joined(state.observation, rollout.observation))
    if state.returns is not None and state.running is not None:

        def step(
            running: Float[Array, " W"], now: tuple[Array, Array]
        ) -> tuple[Float[Array, " W"], Float[Array, " W"]]:
            reward, done = now
            running = discount * running + reward
            return jnp.where(done, 0.0, running), running

        running, returns = jax.lax.scan(step, state.running, (rollout.reward, rollout.done))
        state = state._replace(returns=joined(state.returns, returns), running=running)
    return state


def joined(statistics: Statistics, x: Float[Array, "steps W *components"]) -> Statistics:
    """Mean and variance of what was seen and `x` together (Chan et al. 1979)."""
    count, more = statistics.seen, float(x.shape[0] * x.shape[1])
    total = count + more
    mean, variance = jnp.mean(x, axis=(0, 1)), jnp.var(x, axis=(0, 1))
    apart = mean - statistics.mean
    squares = statistics.variance * count + variance * more + apart**2 * (count * more / total)
    return Statistics(statistics.mean + apart * (more / total), squares / total, total)


def _nothing(shape: tuple[int, ...]) -> Statistics:
    return Statistics(jnp.zeros(shape), jnp.ones(shape), jnp.full((), FIRST_COUNT))


def _scaled(x: Float[Array, "*batch"], statistics: Statistics) -> Float[Array, "*batch"]:
    scale = jax.lax.rsqrt(statistics.variance + EPSILON)
    return jnp.clip(x * jnp.broadcast_to(scale, x.shape), -LIMIT, LIMIT)
