"""A stochastic policy beside a value function V(s), as REINFORCE and PPO have them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.algorithms.parts.advantages import advantages
from symla.core.distributions import Categorical, Gaussian
from symla.core.networks import Perceptron, perceptron
from symla.core.types import Action, Observation, PRNGKey, Rollout

Activation = Callable[[Array], Array]


class Policy(NamedTuple):
    """A network, by default of tanh units, whose outputs are logits or the mean of a Gaussian."""

    network: Perceptron
    log_deviation: Float[Array, " B"] | None  # of the Gaussian, the same everywhere; None: logits


class ActorCritic(NamedTuple):
    """Two networks that share nothing."""

    policy: Policy
    value: Perceptron


class Batch(NamedTuple):
    """Steps to learn from, and what the networks said of them before they learned."""

    observation: Float[Array, "batch A"]
    action: Int[Array, " batch"] | Float[Array, "batch B"]  # as it was sampled
    log_probability: Float[Array, " batch"]  # of that action
    advantage: Float[Array, " batch"]
    target: Float[Array, " batch"]  # of the value
    known: Bool[Array, " batch"]  # whether the step counts: see `Rollout.known`


def distribution(
    policy: Policy, observation: Observation, activation: Activation = jnp.tanh
) -> Categorical | Gaussian:
    """Of the action in one environment."""
    outputs = perceptron(policy.network, observation, activation)
    if policy.log_deviation is None:
        return Categorical(outputs)
    return Gaussian(outputs, policy.log_deviation)


def act(policy: Policy, observation: Observation, key: PRNGKey) -> tuple[Action, Any]:
    """A sampled action, within the bounds; and if those may have changed it, as it was sampled."""
    action = distribution(policy, observation).sample(key)
    return bounded(policy, action), () if policy.log_deviation is None else action


def greedy(policy: Policy, observation: Observation, activation: Activation = jnp.tanh) -> Action:
    """The most probable action; if it is continuous, the mean within the bounds."""
    return bounded(policy, distribution(policy, observation, activation).mode())


def bounded(policy: Policy, action: Action) -> Action:
    """What the environment is given: a continuous action clipped to [-1, 1]."""
    return action if policy.log_deviation is None else jnp.clip(action, -1.0, 1.0)


def log_probabilities(
    policy: Policy,
    observation: Float[Array, "batch A"],
    action: Array,
    activation: Activation = jnp.tanh,
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """log p(a | s) of actions as they were sampled, and the entropy in each s; in nats."""

    def one(observation: Observation, action: Action) -> tuple[Array, Array]:
        chosen = distribution(policy, observation, activation)
        return chosen.log_probability(action), chosen.entropy()

    return jax.vmap(one)(observation, action)


def value(params: Perceptron, observation: Float[Array, "*batch A"]) -> Float[Array, "*batch"]:
    """V(s)."""
    return perceptron(params, observation, jnp.tanh)[..., 0]


def batch_of(networks: ActorCritic, rollout: Rollout, discount: float, trace: float) -> Batch:
    """All steps of a rollout in which `act` acted, on one axis, those of one time side by side."""

    def values(observation: Float[Array, "steps W A"]) -> Float[Array, "steps W"]:
        return value(networks.value, observation)

    discrete = networks.policy.log_deviation is None
    action = rollout.action if discrete else rollout.extras
    found = advantages(rollout, values, discount, trace)
    (observation, action), found = jax.tree.map(
        lambda x: x.reshape(-1, *x.shape[2:]), ((rollout.observation, action), found)
    )
    log_probability, _ = log_probabilities(networks.policy, observation, action)
    return Batch(observation, action, log_probability, *found)
