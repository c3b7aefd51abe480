"""A stochastic policy beside a value function V(s), as REINFORCE and PPO have them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.distributions import Categorical, Gaussian
from symla.core.networks import Perceptron, perceptron
from symla.core.types import Action, Observation, PRNGKey


class ActorCritic(NamedTuple):
    """Two networks that share nothing, with tanh units."""

    policy: Perceptron  # its outputs: logits, or the mean of a Gaussian
    log_deviation: Float[Array, " B"] | None  # of that Gaussian, the same everywhere; None: logits
    value: Perceptron


def distribution(networks: ActorCritic, observation: Observation) -> Categorical | Gaussian:
    """Of the action in one environment."""
    outputs = perceptron(networks.policy, observation, jnp.tanh)
    if networks.log_deviation is None:
        return Categorical(outputs)
    return Gaussian(outputs, networks.log_deviation)


def value(networks: ActorCritic, observation: Float[Array, "*batch A"]) -> Float[Array, "*batch"]:
    """V(s)."""
    return perceptron(networks.value, observation, jnp.tanh)[..., 0]


def act(networks: ActorCritic, observation: Observation, key: PRNGKey) -> tuple[Action, Any]:
    """A sampled action, within the bounds; and the same as it was sampled, for `sampled`."""
    action = distribution(networks, observation).sample(key)
    if networks.log_deviation is None:
        return action, ()
    return jnp.clip(action, -1.0, 1.0), action


def sampled(networks: ActorCritic, action: Array, extras: Any) -> Array:
    """Actions of a rollout as they were sampled, which is what their probabilities are of."""
    return action if networks.log_deviation is None else extras


def greedy(networks: ActorCritic, observation: Observation) -> Action:
    """The most probable action; if it is continuous, the mean within the bounds."""
    action = distribution(networks, observation).mode()
    return action if networks.log_deviation is None else jnp.clip(action, -1.0, 1.0)


def log_probabilities(
    networks: ActorCritic, observation: Float[Array, "batch A"], action: Array
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """log p(a | s) of actions as they were sampled, and the entropy in each s; in nats."""

    def one(observation: Observation, action: Action) -> tuple[Array, Array]:
        chosen = distribution(networks, observation)
        return chosen.log_probability(action), chosen.entropy()

    return jax.vmap(one)(observation, action)
