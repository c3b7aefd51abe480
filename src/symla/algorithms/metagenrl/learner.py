"""An agent of MetaGenRL (Kirsch et al. 2020): TD3, whose policy follows any objective."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.base import Guidance
from symla.algorithms.metagenrl.chunks import (
    Remembered,
    nothing_remembered,
    remembered,
    sample_chunks,
)
from symla.algorithms.metagenrl.hand_made import (
    AdvantageWeightedRegression,
    FollowCritic,
    ReinforceObjective,
    log_density,
)
from symla.algorithms.metagenrl.learned import LearnedObjective, RandomObjective
from symla.algorithms.metagenrl.objective import Objective, Seen
from symla.algorithms.parts import normalisation, replay
from symla.algorithms.parts.critics import critic, mean_where, policy
from symla.algorithms.td3 import TD3, Networks, TD3State, TD3Weights, first_critic
from symla.core.errors import require
from symla.core.networks import Perceptron
from symla.core.optimisers import Optimiser
from symla.core.trees import global_norm
from symla.core.types import Action, Observation, Params, PRNGKey, Rollout, Scalar, Spec


@dataclass(frozen=True)
class MetaGenRL(TD3):
    """Critics and targets as in TD3; the policy minimises the mean of l_t = L(chunks of T steps).

    With an objective that is learned, its parameters are the meta-parameters, which
    `meta_objective` trains; while they stay as they are, this is how they teach a fresh agent. It
    lives in `workers` environments; after `interval` steps in each come as many updates. The
    defaults are for small worlds in JAX; the paper's sizes and step through the policy's weights
    are a preset, and so is what suits simulators.
    Raises SettingError outside ranges.
    """

    units: tuple[int, ...] = (32, 32)
    discount: float = 0.97
    random_steps: int = 400
    batch: int = 128  # transitions that critics are trained on
    capacity: int = 20_000
    policy_optimizer: Optimiser = Optimiser(1e-3, clip=1.0)
    critic_optimizer: Optimiser = Optimiser(3e-3)
    layer_norm: bool = True
    workers: int = 4
    objective: Objective = LearnedObjective(units=16)
    length: int = 20  # T, steps of a chunk
    chunks: int = 12  # that the policy, and the objective, are trained on
    inner: Literal["actions", "weights"] = "actions"  # where `meta_objective` takes a step
    inner_steps: int = 1
    inner_rate: float = 0.1
    unit_step: bool = True  # the step has the size `inner_rate`, whatever that of the gradient
    scaled_value: bool = True  # the values of `meta_objective` have deviation 1 in their batch

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "units": (350, 350),
            "discount": 0.99,
            "random_steps": 10_000,
            "batch": 2_000,
            "capacity": 1_000_000,
            "critic_optimizer": Optimiser(1e-3),
            "workers": 1,
            "chunks": 100,
            "inner": "weights",
            "inner_rate": 1e-3,
            "unit_step": False,
            "scaled_value": False,
            "objective.units": 32,
        },
        # For simulators: fewer steps, more units, gradients that agree with MuJoCo's time scales.
        "simulators": {
            "units": (64, 64),
            "discount": 0.99,
            "random_steps": 1_000,
            "batch": 256,
            "capacity": 100_000,
            "critic_optimizer": Optimiser(1e-3),
            "workers": 1,
            "chunks": 16,
        },
    }

    def __post_init__(self):
        super().__post_init__()
        for name in ("workers", "length", "chunks", "inner_steps"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")
        require(
            self.inner in ("actions", "weights"),
            f"inner must be 'actions' or 'weights', got {self.inner!r}",
        )
        require(
            0 < self.inner_rate < math.inf,
            f"inner_rate must be a finite number above 0, got {self.inner_rate}",
        )

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        """Those of the objective."""
        return self.objective.init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> TD3State:
        """Raises SizeError for discrete actions, and for `params` of another objective."""
        self.objective.check(params, spec)
        return super().init_state((), key, spec)

    def transition(self, spec: Spec) -> Remembered:
        """What a row of the buffer holds."""
        return nothing_remembered(spec.observation_size, spec.action_size)

    def act(
        self, params: Params, state: TD3State, observation: Observation, key: PRNGKey
    ) -> tuple[Action, Scalar]:
        """As TD3; and the log density of the action as it was done, within its bounds."""
        action, _ = super().act(params, state, observation, key)
        mean = self.greedy(params, state, observation)
        explored = log_density(action, mean, max(self.exploration_noise, 1e-3))
        uniform = jnp.full_like(explored, -math.log(2.0) * action.size)
        return action, jnp.where(state.replay.added < self.random_steps, uniform, explored)

    def remember(self, state: TD3State, rollout: Rollout) -> TD3State:
        """The state with the steps of the rollout in its buffer."""
        return state._replace(
            replay=replay.add(state.replay, remembered(rollout)),
            normalisation=normalisation.updated(state.normalisation, rollout, self.discount),
        )

    def update(self, params: Params, state: TD3State, number: Array, key: PRNGKey) -> TD3State:
        """One update of the critics, and if `number` says so of the policy and the targets."""
        return self._update(params, state, None, number, key)

    def update_guided(
        self, params: Params, state: TD3State, guidance: Guidance, number: Array, key: PRNGKey
    ) -> TD3State:
        """The same; the policy minimises (1 - share) L - share Q_1(s, pi(s)), by shorter steps."""
        updated = self._update(params, state, guidance, number, key)
        # Agents of all ages are updated side by side: here none could be left out before.
        ready = state.replay.added >= self.random_steps
        weights = jax.tree.map(
            lambda new, old: jnp.where(ready, new, old), updated.weights, state.weights
        )
        return state._replace(weights=weights)

    def _update(
        self,
        params: Params,
        state: TD3State,
        guidance: Guidance | None,
        number: Array,
        key: PRNGKey,
    ) -> TD3State:
        batch_key, noise_key, chunks_key = jax.random.split(key, 3)
        batch = replay.sample(state.replay, batch_key, self.batch).step
        batch = normalisation.normalised(state.normalisation, batch)
        noise = self.target_noise * jax.random.normal(noise_key, batch.action.shape)
        weights = self.update_critics(state.weights, batch, noise)

        def with_policy(weights: TD3Weights) -> TD3Weights:
            seen = self.see(weights.networks, self.sample(state, chunks_key))
            return self.update_targets(self.follow(params, weights, seen, guidance))

        weights = jax.lax.cond(
            (number + 1) % self.policy_delay == 0, with_policy, lambda weights: weights, weights
        )
        return state._replace(weights=weights)

    def sample(self, state: TD3State, key: PRNGKey) -> Remembered:
        """Chunks of what the agent remembers, as its networks take them."""
        found = sample_chunks(state.replay, key, self.chunks, self.length, self.workers)
        return found._replace(step=normalisation.normalised(state.normalisation, found.step))

    def see(self, networks: Networks, chunks: Remembered) -> Seen:
        """Chunks as an objective sees them."""
        steps, first = chunks.step, first_critic(networks.critics)

        def value(observation: Array) -> Array:
            return critic(first, observation, policy(networks.policy, observation))

        after = jnp.where(steps.terminated, 0.0, value(steps.next_observation))
        values = jax.lax.stop_gradient((value(steps.observation), after))
        return Seen(steps, chunks.log_density, *values, first, self.discount)

    def follow(
        self, params: Params, weights: TD3Weights, seen: Seen, guidance: Guidance | None = None
    ) -> TD3Weights:
        """One step of the policy down its objective."""

        def loss(network: Perceptron) -> Scalar:
            action = policy(network, seen.steps.observation)
            losses = self.objective.losses(params, seen, action)
            if guidance is not None:
                values = critic(seen.critic, seen.steps.observation, action)
                losses = (1.0 - guidance.share) * losses - guidance.share * values
            return mean_where(seen.known, losses)

        networks, optimizers = weights.networks, weights.optimizers
        network, optimizer = self.policy_optimizer.descend(
            networks.policy, jax.grad(loss)(networks.policy), optimizers.policy
        )
        if guidance is not None:
            network = jax.tree.map(
                lambda old, new: old + guidance.rate * (new - old), networks.policy, network
            )
        return weights._replace(
            networks=networks._replace(policy=network),
            optimizers=optimizers._replace(policy=optimizer),
        )

    def meta_objective(self, params: Params, state: TD3State, key: PRNGKey) -> Scalar:
        """-Q_1 of the actions that are chosen after a step down the objective, its mean.

        The step is of pi(s) itself, clipped to [-1, 1], or of the policy's weights; Q_1 is asked
        for the same chunks, and after a step in weights for as many more. Further `inner_steps` in
        weights take batches of their own.
        """
        networks = state.weights.networks
        if self.inner == "actions":
            seen = self.see(networks, self.sample(state, key))
            action = self.step_in_actions(params, seen, policy(networks.policy, _states(seen)))
            return self.negative_value(seen, action)
        *keys, last = jax.random.split(key, self.inner_steps + 1)
        batches = [self.see(networks, self.sample(state, k)) for k in keys]
        changed = self.step_in_weights(params, batches, networks.policy)
        batches.append(self.see(networks, self.sample(state, last)))
        seen = batches[0]._replace(
            steps=jax.tree.map(lambda *x: jnp.concatenate(x), *(b.steps for b in batches))
        )
        return self.negative_value(seen, policy(changed, _states(seen)))

    def step_in_actions(
        self, params: Params, seen: Seen, action: Float[Array, "batch T B"]
    ) -> Float[Array, "batch T B"]:
        """The actions after `inner_steps` down the gradient of the sum of l_t in pi(s)."""

        def loss(action: Array) -> Scalar:
            losses = self.objective.losses(params, seen, action)
            return jnp.sum(jnp.where(seen.known, losses, 0.0))

        for _ in range(self.inner_steps):
            gradient = jax.grad(loss)(action)
            if self.unit_step:
                square = mean_where(seen.known, jnp.mean(gradient**2, axis=-1))
                gradient = gradient * jax.lax.rsqrt(square + 1e-16)
            action = jnp.clip(action - self.inner_rate * gradient, -1.0, 1.0)
        return action

    def step_in_weights(
        self, params: Params, batches: list[Seen], network: Perceptron
    ) -> Perceptron:
        """The policy after one step on each batch down the gradient of the sum of l_t."""
        for seen in batches:

            def loss(network: Perceptron, seen: Seen = seen) -> Scalar:
                losses = self.objective.losses(params, seen, policy(network, _states(seen)))
                return jnp.sum(jnp.where(seen.known, losses, 0.0))

            gradient = jax.grad(loss)(network)
            length = global_norm(gradient) + 1e-8 if self.unit_step else jnp.ones(())
            size = self.inner_rate / length
            network = jax.tree.map(lambda x, g: x - size * g, network, gradient)  # noqa: B023
        return network

    def negative_value(self, seen: Seen, action: Float[Array, "batch T B"]) -> Scalar:
        """The mean of -Q_1(s, action), over its deviation with `scaled_value`."""
        values = critic(seen.critic, _states(seen), action)
        if not self.scaled_value:
            return -mean_where(seen.known, values)
        fixed = jax.lax.stop_gradient(values)
        spread = mean_where(seen.known, (fixed - mean_where(seen.known, fixed)) ** 2)
        return -mean_where(seen.known, values) / (jnp.sqrt(spread) + 1e-5)


@dataclass(frozen=True)
class OffPolicyReinforce(MetaGenRL):
    """The same agent following off-policy REINFORCE: the MetaGenRL paper's comparison."""

    objective: Objective = ReinforceObjective()


@dataclass(frozen=True)
class AdvantageWeighted(MetaGenRL):
    """The same agent following advantage-weighted regression (Peng et al. 2019)."""

    objective: Objective = AdvantageWeightedRegression()


@dataclass(frozen=True)
class WithRandomObjective(MetaGenRL):
    """The same agent following an objective that has learned nothing."""

    objective: Objective = RandomObjective()


@dataclass(frozen=True)
class WithCriticObjective(MetaGenRL):
    """The same agent following its critic, as TD3 does."""

    objective: Objective = FollowCritic()


def _states(seen: Seen) -> Float[Array, "batch T A"]:
    return seen.steps.observation
