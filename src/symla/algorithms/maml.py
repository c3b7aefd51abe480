"""MAML (Finn et al. 2017): first weights of a policy from which a few gradient steps go far."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.algorithms.parts import actor_critics, linear_baseline
from symla.algorithms.parts.actor_critics import Policy
from symla.core.errors import SizeError, require
from symla.core.networks import init_linear, init_perceptron
from symla.core.types import (
    Action,
    Continuous,
    Observation,
    PRNGKey,
    Rollout,
    Scalar,
    Spec,
)


class Sampled(NamedTuple):
    """What learning must know of the moment when an action was chosen."""

    action: Int[Array, "*steps"] | Float[Array, "*steps B"]  # before it was clipped
    log_probability: Float[Array, "*steps"]  # by the policy that chose it


@dataclass(frozen=True)
class MAML:
    """Model-agnostic meta-learning for reinforcement: the meta-parameters are the first weights of
    a policy, which then learns by the vanilla policy gradient.

        theta <- theta + rate grad E[pi_theta(a | s) / pi_old(a | s) A]

    after every `interval` steps in each of `workers` environments; the rate of all steps but the
    first is `later` times as large. A are discounted returns minus a linear baseline
    (`parts.linear_baseline`), normalised. Where pi_theta is the policy that acted, the gradient is
    that of log pi A; with the ratio its own derivative, which meta-training follows, has less
    variance (Rothfuss et al. 2019). Continuous actions are sampled from a Gaussian, whose deviation
    is learned too, and clipped to [-1, 1] for the environment alone.

    The defaults are those of 2D navigation: episodes of 100 steps, 20 of them for a step. Raises
    SettingError outside ranges.
    """

    units: tuple[int, ...] = (100, 100)  # of the hidden layers, ReLU
    interval: int = 100  # steps in each environment between learning
    workers: int = 20  # environments side by side
    rate: float = 0.5
    later: float = 0.5
    discount: float = 0.99
    log_deviation: float = -0.5  # of the Gaussian, before meta-training

    def __post_init__(self):
        require(
            len(self.units) >= 1 and min(self.units) >= 1,
            f"units must be one number of at least 1 for each hidden layer, got {self.units}",
        )
        for name in ("interval", "workers"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")
        for name in ("rate", "later"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"{name} must be a number of at least 0, got {value}")
        require(0 <= self.discount <= 1, f"discount must be in [0, 1], got {self.discount}")
        require(
            abs(self.log_deviation) <= 10,
            f"log_deviation must be in [-10, 10], got {self.log_deviation}",
        )

    def init_params(self, key: PRNGKey, spec: Spec) -> Policy:
        sizes = spec.observation_size, *self.units, spec.action_size
        continuous = isinstance(spec.action, Continuous)
        deviation = jnp.full(spec.action_size, self.log_deviation) if continuous else None
        return Policy(init_perceptron(key, sizes, init_linear), deviation)

    def init_state(self, params: Policy, key: PRNGKey, spec: Spec) -> Policy:
        """The first weights. Raises SizeError if they were learned for other sizes."""
        first, last = params.network[0].linear.weight, params.network[-1].linear.bias
        learned = first.shape[0], last.shape[0], params.log_deviation is not None
        continuous = isinstance(spec.action, Continuous)
        if learned != (spec.observation_size, spec.action_size, continuous):
            kinds = {True: "continuous", False: "discrete"}
            raise SizeError(
                f"these first weights are of a policy of {learned[0]} observations and {learned[1]}"
                f" {kinds[learned[2]]} actions, not of {spec.observation_size} and "
                f"{spec.action_size} {kinds[continuous]} ones: train MAML there"
            )
        return params

    def act(
        self, params: Policy, state: Policy, observation: Observation, key: PRNGKey
    ) -> tuple[Action, Any]:
        chosen = actor_critics.distribution(state, observation, jax.nn.relu)
        action = chosen.sample(key)
        return actor_critics.bounded(state, action), Sampled(action, chosen.log_probability(action))

    def greedy(self, params: Policy, state: Policy, observation: Observation) -> Action:
        """The most probable action, or the mean of the Gaussian."""
        return actor_critics.greedy(state, observation, jax.nn.relu)

    def learn(
        self, params: Policy, state: Policy, rollout: Rollout, t: Array, key: PRNGKey
    ) -> Policy:
        advantage = linear_baseline.advantages(rollout, self.discount)

        def gain(policy: Policy) -> Scalar:
            ratio = jnp.exp(log_probabilities(policy, rollout) - rollout.extras.log_probability)
            return jnp.mean(ratio * advantage)

        first = t <= self.interval * self.workers
        rate = jnp.where(first, self.rate, self.rate * self.later)
        return jax.tree.map(lambda x, slope: x + rate * slope, state, jax.grad(gain)(state))

    def learn_with_penalty(
        self, params: Policy, state: Policy, rollout: Rollout, t: Array, key: PRNGKey
    ) -> tuple[Policy, Scalar]:
        """As `learn`; nothing is penalised."""
        return self.learn(params, state, rollout, t, key), jnp.zeros(())

    def judge(
        self, params: Policy, state: Policy, rollout: Rollout
    ) -> tuple[Float[Array, "steps W"], Scalar]:
        """log-probabilities of the actions; only returns count."""
        return log_probabilities(state, rollout), jnp.zeros(())


def log_probabilities(policy: Policy, rollout: Rollout) -> Float[Array, "steps W"]:
    """log p(a | s) of the actions as they were sampled, in nats."""
    observation, action = jax.tree.map(
        lambda x: x.reshape(-1, *x.shape[2:]), (rollout.observation, rollout.extras.action)
    )
    found, _ = actor_critics.log_probabilities(policy, observation, action, jax.nn.relu)
    return found.reshape(rollout.reward.shape)
