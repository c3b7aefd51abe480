"""Pairs of critics Q(s, a) and their deterministic policy, as DDPG, TD3 and MetaGenRL have them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from symla.core.networks import Perceptron, perceptron
from symla.core.types import Rollout


class Experience(NamedTuple):
    """Transitions as a replay buffer keeps them, on any leading axes."""

    observation: Float[Array, "*batch A"]
    action: Float[Array, "*batch B"]
    reward: Float[Array, "*batch"]
    terminated: Bool[Array, "*batch"]
    next_observation: Float[Array, "*batch A"]
    known: Bool[Array, "*batch"]  # whether it can be learned from: see `experience`


def experience(rollout: Rollout) -> Experience:
    """All steps of a rollout on one axis, those of one time side by side.

    What a truncated step led to is needed for its value. Where nobody told, it is not `known`.
    """
    steps = Experience(
        rollout.observation,
        rollout.action,
        rollout.reward,
        rollout.terminated,
        known_next_observation(rollout),
        rollout.known,
    )
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), steps)


def known_next_observation(rollout: Rollout) -> Float[Array, "*steps A"]:
    """What steps led to, with zeros for what is not known: where results are masked, NaN would
    still spread."""
    return jnp.where(jnp.isfinite(rollout.next_observation), rollout.next_observation, 0.0)


def no_experience(observation_size: int, action_size: int) -> Experience:
    """One transition of zeros: what a buffer needs to know of shapes."""
    observation, no = jnp.zeros(observation_size), jnp.zeros((), bool)
    return Experience(observation, jnp.zeros(action_size), jnp.zeros(()), no, observation, no)


def policy(params: Perceptron, observation: Float[Array, "*batch A"]) -> Float[Array, "*batch B"]:
    """pi(s) in [-1, 1]^B."""
    return jnp.tanh(perceptron(params, observation))


def critic(
    params: Perceptron, observation: Float[Array, "*batch A"], action: Float[Array, "*batch B"]
) -> Float[Array, "*batch"]:
    """Q(s, a)."""
    return perceptron(params, jnp.concatenate([observation, action], axis=-1))[..., 0]


def critics(
    params: Any, observation: Float[Array, "*batch A"], action: Float[Array, "*batch B"]
) -> Float[Array, "*critics"]:
    """Q_k(s, a) of critics whose parameters are stacked on a leading axis, as the result is."""
    return jax.vmap(critic, (0, None, None))(params, observation, action)


def bootstrapped(
    batch: Experience, next_value: Float[Array, "*batch"], discount: float
) -> Float[Array, "*batch"]:
    """r + discount V(s'), where V(s') is 0 after a step that terminated its episode."""
    return batch.reward + discount * jnp.where(batch.terminated, 0.0, next_value)


def mean_where(known: Bool[Array, "*batch"], x: Float[Array, "*batch"]) -> Float[Array, ""]:
    """Of what is known; 0 if nothing is."""
    return jnp.sum(jnp.where(known, x, 0.0)) / jnp.maximum(jnp.sum(known, dtype=x.dtype), 1)


def moved_towards(target: Any, params: Any, rate: float) -> Any:
    """The target network after one step of Polyak averaging: (1 - rate) target + rate params."""
    return jax.tree.map(lambda old, new: (1.0 - rate) * old + rate * new, target, params)
