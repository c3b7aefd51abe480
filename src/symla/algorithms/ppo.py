"""Proximal policy optimisation (Schulman et al. 2017)."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

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
from symla.core.networks import Dense, Linear, Perceptron, init_orthogonal_linear, init_perceptron
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


class PPOWeights(NamedTuple):
    """All that an update changes."""

    networks: ActorCritic
    optimizer: State


class PPOState(NamedTuple):
    """A learner: its weights, and statistics of what it has seen."""

    weights: PPOWeights
    normalisation: Normalisation


class Losses(NamedTuple):
    """What is minimised, its three terms before they are weighted, and how far the policy is from
    the one that acted: E[r - 1 - log r], which estimates its Kullback-Leibler divergence."""

    total: Scalar
    policy: Scalar
    value: Scalar
    entropy: Scalar
    divergence: Scalar


@dataclass(frozen=True)
class PPO:
    """Proximal policy optimisation with a clipped objective, with the defaults of
    Stable-Baselines3.

        r = pi(a | s) / pi_old(a | s)
        minimise  -E[min(r A, clip(r, 1 - clip, 1 + clip) A)]
                  + value_weight E[(V(s) - target)^2] - entropy_weight E[H(pi(s))]

    on `epochs` passes over the `interval` steps in each of `workers` environments, in random
    batches; in each batch the advantages A are normalised to mean 0 and variance 1. Continuous
    actions are sampled from a Gaussian, and clipped to [-1, 1] for the environment alone.

    Over the first `decay_steps` steps of the lifetime, in all environments together, the learning
    rate and `clip` fall linearly to 0, as SB3's `linear_schedule` has it; 0 keeps them. If
    `divergence_limit` is above 0, a rollout is left as soon as the policy is 1.5 times as far from
    the one that acted (SB3's `target_kl`). Raises SettingError outside ranges.
    """

    units: tuple[int, ...] = (64, 64)  # of the hidden layers of policy and value function, tanh
    interval: int = 2048  # steps in each environment between learning
    workers: int = 1  # environments side by side
    batch: int = 64
    epochs: int = 10
    discount: float = 0.99
    trace: float = 0.95  # lambda of the advantages
    clip: float = 0.2
    value_weight: float = 0.5
    entropy_weight: float = 0.0
    divergence_limit: float = 0.0
    optimizer: Optimiser = Optimiser(3e-4, clip=0.5, epsilon=1e-5)
    decay_steps: int = 0
    normalise_observations: bool = False  # both: as VecNormalize does it
    normalise_rewards: bool = False

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Of SB3's zoo, for 100,000 steps.
        "cartpole": {
            "interval": 32,
            "workers": 8,
            "batch": 256,
            "epochs": 20,
            "discount": 0.98,
            "trace": 0.8,
            "optimizer": Optimiser(1e-3, clip=0.5, epsilon=1e-5),
            "decay_steps": 100_000,
        },
        # The same source; its exploration that depends on the state (gSDE) is not there.
        "pendulum": {
            "interval": 1024,
            "workers": 4,
            "discount": 0.9,
            "optimizer": Optimiser(1e-3, clip=0.5, epsilon=1e-5),
        },
        # Of Spinning Up, which the MetaGenRL paper names (Kirsch et al. 2020). There the value
        # function has a learning rate of its own, 1e-3, and is not left early.
        "paper": {
            "interval": 4000,
            "batch": 4000,
            "epochs": 80,
            "trace": 0.97,
            "divergence_limit": 0.01,
            "optimizer": Optimiser(3e-4),
        },
    }

    def __post_init__(self):
        require(
            len(self.units) >= 1 and min(self.units) >= 1,
            f"units must be one number of at least 1 for each hidden layer, got {self.units}",
        )
        for name in ("interval", "workers", "batch", "epochs"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")
        for name in ("value_weight", "entropy_weight", "divergence_limit", "decay_steps"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"{name} must be a number of at least 0, got {value}")
        for name in ("discount", "trace"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} must be in [0, 1], got {value}")
        require(0 < self.clip < math.inf, f"clip must be a number above 0, got {self.clip}")
        steps = self.interval * self.workers
        require(
            steps % self.batch == 0,
            f"batch must divide the {steps} steps of a rollout (interval {self.interval} x workers "
            f"{self.workers}), got {self.batch}",
        )

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: tuple[()], key: PRNGKey, spec: Spec) -> PPOState:
        policy_key, value_key = jax.random.split(key)
        hidden = spec.observation_size, *self.units
        continuous = isinstance(spec.action, Continuous)
        networks = ActorCritic(
            Policy(
                # Small first outputs: at first all actions are about as probable.
                _init(policy_key, (*hidden, spec.action_size), 0.01),
                jnp.zeros(spec.action_size) if continuous else None,
            ),
            _init(value_key, (*hidden, 1), 1.0),
        )
        statistics = normalisation.init(
            spec,
            self.workers,
            observations=self.normalise_observations,
            rewards=self.normalise_rewards,
        )
        return PPOState(PPOWeights(networks, self.optimizer.init(networks)), statistics)

    def act(
        self, params: tuple[()], state: PPOState, observation: Observation, key: PRNGKey
    ) -> tuple[Action, Any]:
        observation = normalisation.observation(state.normalisation, observation)
        return actor_critics.act(state.weights.networks.policy, observation, key)

    def greedy(self, params: tuple[()], state: PPOState, observation: Observation) -> Action:
        """The most probable action, or the mean of the Gaussian."""
        observation = normalisation.observation(state.normalisation, observation)
        return actor_critics.greedy(state.weights.networks.policy, observation)

    def learn(
        self, params: tuple[()], state: PPOState, rollout: Rollout, t: Array, key: PRNGKey
    ) -> PPOState:
        statistics, rollout = normalisation.learned(state.normalisation, rollout, self.discount)
        batch = batch_of(state.weights.networks, rollout, self.discount, self.trace)
        left = self.left(t)

        def epoch(
            carry: tuple[PPOWeights, Bool[Array, ""]], key: PRNGKey
        ) -> tuple[tuple[PPOWeights, Bool[Array, ""]], None]:
            order = self.order(key, len(batch.known))
            return self.epoch(*carry, batch, order, left)[:2], None

        start = state.weights, jnp.zeros((), bool)
        keys = jax.random.split(key, self.epochs)
        (weights, _), _ = jax.lax.scan(epoch, start, keys)
        return PPOState(weights, statistics)

    def order(self, key: PRNGKey, steps: int) -> Int[Array, " batch"]:
        """In which an epoch goes over so many steps: at random, but where they are one batch, whose
        order makes no difference and takes a seventh of the time of learning to draw."""
        if self.batch == steps:
            return jnp.arange(steps)
        return jax.random.permutation(key, steps)

    def left(self, t: Array) -> Scalar:
        """The share of the learning rate and of `clip` that is left after `t` steps."""
        if not self.decay_steps:
            return jnp.ones(())
        return jnp.maximum(1.0 - t.astype(jnp.float32) / self.decay_steps, 0.0)

    def epoch(
        self,
        weights: PPOWeights,
        stopped: Bool[Array, ""],
        batch: Batch,
        order: Int[Array, " batch"],
        left: Scalar,
    ) -> tuple[PPOWeights, Bool[Array, ""], Losses]:
        """One pass over all steps in that order. Returns the losses of each batch, too."""
        parts = jax.tree.map(lambda x: x[order].reshape(-1, self.batch, *x.shape[1:]), batch)

        def update(
            carry: tuple[PPOWeights, Bool[Array, ""]], part: Batch
        ) -> tuple[tuple[PPOWeights, Bool[Array, ""]], Losses]:
            weights, stopped = carry
            updated, losses = self.update(weights, part, left)
            if self.divergence_limit:
                stopped = stopped | (losses.divergence > 1.5 * self.divergence_limit)
                updated = jax.tree.map(
                    lambda new, old: jnp.where(stopped, old, new), updated, weights
                )
            return (updated, stopped), losses

        (weights, stopped), losses = jax.lax.scan(update, (weights, stopped), parts)
        return weights, stopped, losses

    def update(self, weights: PPOWeights, batch: Batch, left: Scalar) -> tuple[PPOWeights, Losses]:
        """One step down the loss of a batch, and the losses before it."""

        def loss(networks: ActorCritic) -> tuple[Scalar, Losses]:
            losses = self.losses(networks, batch, left)
            return losses.total, losses

        gradient, losses = jax.grad(loss, has_aux=True)(weights.networks)
        stepped = self.optimizer.descend(weights.networks, gradient, weights.optimizer, left)
        return PPOWeights(*stepped), losses

    def losses(self, networks: ActorCritic, batch: Batch, left: Scalar) -> Losses:
        """Of a batch, where `clip` is `left` of what it was."""
        log_probability, entropy = log_probabilities(
            networks.policy, batch.observation, batch.action
        )
        advantage = normalised(batch.advantage, batch.known)
        ratio = jnp.exp(log_probability - batch.log_probability)
        clip = self.clip * left
        gain = jnp.minimum(ratio * advantage, jnp.clip(ratio, 1.0 - clip, 1.0 + clip) * advantage)
        error = actor_critics.value(networks.value, batch.observation) - batch.target
        policy = -mean_where(batch.known, gain)
        value = mean_where(batch.known, error**2)
        bonus = mean_where(batch.known, entropy)
        divergence = ratio - 1.0 - (log_probability - batch.log_probability)
        return Losses(
            policy + self.value_weight * value - self.entropy_weight * bonus,
            policy,
            value,
            bonus,
            mean_where(batch.known, divergence),
        )


def _init(key: PRNGKey, sizes: tuple[int, ...], gain: float) -> Perceptron:
    """A perceptron of orthogonal weights, times sqrt(2), or in the last layer times `gain`."""

    def layer(key: PRNGKey, inputs: int, outputs: int) -> Linear:
        return init_orthogonal_linear(key, inputs, outputs, math.sqrt(2.0))

    hidden_key, last_key = jax.random.split(key)
    last = init_orthogonal_linear(last_key, sizes[-2], sizes[-1], gain)
    return *init_perceptron(hidden_key, sizes[:-1], layer), Dense(last)
