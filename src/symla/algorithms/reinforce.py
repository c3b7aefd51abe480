"""REINFORCE (Williams 1992) with generalised advantages, on-policy."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from symla.algorithms.parts import actor_critics, normalisation
from symla.algorithms.parts.actor_critics import (
    ActorCritic,
    Batch,
    Policy,
    batch_of,
    log_probabilities,
)
from symla.algorithms.parts.advantages import normalised
from symla.algorithms.parts.critics import mean_where
from symla.algorithms.parts.normalisation import Normalisation
from symla.core.errors import require
from symla.core.networks import Perceptron, init_perceptron
from symla.core.optimisers import Optimiser
from symla.core.types import (
    Action,
    Continuous,
    Observation,
    PRNGKey,
    Rollout,
    Scalar,
    Spec,
    State,
)

LOG_DEVIATION = -0.5  # of the first policy's Gaussian


class ReinforceState(NamedTuple):
    """A learner: its weights, and statistics of what it has seen."""

    networks: ActorCritic
    policy_optimizer: State
    value_optimizer: State
    normalisation: Normalisation


@dataclass(frozen=True)
class Reinforce:
    """The vanilla policy gradient, with the settings of Spinning Up, which the MetaGenRL paper
    names (Kirsch et al. 2020).

        policy   one step down -E[log pi(a | s) A]           A normalised over the rollout
        value    `value_updates` steps down E[(V(s) - target)^2]

    after every `interval` steps in each of `workers` environments. Continuous actions are sampled
    from a Gaussian, and clipped to [-1, 1] for the environment alone. Raises SettingError outside
    ranges.
    """

    units: tuple[int, ...] = (64, 64)  # of the hidden layers of policy and value function, tanh
    interval: int = 4000  # steps in each environment between learning
    workers: int = 1  # environments side by side
    discount: float = 0.99
    trace: float = 0.97  # lambda of the advantages
    value_updates: int = 80
    policy_optimizer: Optimiser = Optimiser(3e-4)
    value_optimizer: Optimiser = Optimiser(1e-3)
    normalise_observations: bool = False  # both: as VecNormalize does it
    normalise_rewards: bool = False

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {},
        # Larger and more frequent steps: for tens of thousands of steps instead of millions.
        "small": {
            "interval": 64,
            "workers": 8,
            "value_updates": 20,
            "policy_optimizer": Optimiser(3e-3),
            "value_optimizer": Optimiser(3e-3),
        },
    }

    def __post_init__(self):
        require(
            len(self.units) >= 1 and min(self.units) >= 1,
            f"units must be one number of at least 1 for each hidden layer, got {self.units}",
        )
        for name in ("interval", "workers", "value_updates"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")
        for name in ("discount", "trace"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} must be in [0, 1], got {value}")

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: tuple[()], key: PRNGKey, spec: Spec) -> ReinforceState:
        policy_key, value_key = jax.random.split(key)
        hidden, actions = (spec.observation_size, *self.units), spec.action_size
        continuous = isinstance(spec.action, Continuous)
        networks = ActorCritic(
            Policy(
                init_perceptron(policy_key, (*hidden, actions)),
                jnp.full(actions, LOG_DEVIATION) if continuous else None,
            ),
            init_perceptron(value_key, (*hidden, 1)),
        )
        statistics = normalisation.init(
            spec,
            self.workers,
            observations=self.normalise_observations,
            rewards=self.normalise_rewards,
        )
        return ReinforceState(
            networks,
            self.policy_optimizer.init(networks.policy),
            self.value_optimizer.init(networks.value),
            statistics,
        )

    def act(
        self, params: tuple[()], state: ReinforceState, observation: Observation, key: PRNGKey
    ) -> tuple[Action, Any]:
        observation = normalisation.observation(state.normalisation, observation)
        return actor_critics.act(state.networks.policy, observation, key)

    def greedy(self, params: tuple[()], state: ReinforceState, observation: Observation) -> Action:
        """The most probable action, or the mean of the Gaussian."""
        observation = normalisation.observation(state.normalisation, observation)
        return actor_critics.greedy(state.networks.policy, observation)

    def learn(
        self, params: tuple[()], state: ReinforceState, rollout: Rollout, t: Array, key: PRNGKey
    ) -> ReinforceState:
        statistics, rollout = normalisation.learned(state.normalisation, rollout, self.discount)
        batch = batch_of(state.networks, rollout, self.discount, self.trace)
        policy, policy_optimizer = self.policy_optimizer.descend(
            state.networks.policy,
            jax.grad(policy_loss)(state.networks.policy, batch),
            state.policy_optimizer,
        )

        def update(_: Array, carry: tuple[Perceptron, State]) -> tuple[Perceptron, State]:
            value, optimizer = carry
            gradient = jax.grad(value_loss)(value, batch)
            return self.value_optimizer.descend(value, gradient, optimizer)

        start = state.networks.value, state.value_optimizer
        value, value_optimizer = jax.lax.fori_loop(0, self.value_updates, update, start)
        networks = ActorCritic(policy, value)
        return ReinforceState(networks, policy_optimizer, value_optimizer, statistics)


def policy_loss(policy: Policy, batch: Batch) -> Scalar:
    """-E[log pi(a | s) A], whose gradient is the policy gradient."""
    log_probability, _ = log_probabilities(policy, batch.observation, batch.action)
    return -mean_where(batch.known, log_probability * normalised(batch.advantage, batch.known))


def value_loss(params: Perceptron, batch: Batch) -> Scalar:
    """E[(V(s) - target)^2]."""
    error = actor_critics.value(params, batch.observation) - batch.target
    return mean_where(batch.known, error**2)
