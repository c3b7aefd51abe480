"""TD3 (Fujimoto et al. 2018); DDPG (Lillicrap et al. 2016) is the same without its changes."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.parts import normalisation, replay
from symla.algorithms.parts.critics import (
    Experience,
    bootstrapped,
    critic,
    critics,
    experience,
    mean_where,
    moved_towards,
    no_experience,
    policy,
)
from symla.algorithms.parts.normalisation import Normalisation
from symla.algorithms.parts.replay import Replay
from symla.core.errors import SizeError, require
from symla.core.networks import Perceptron, init_perceptron
from symla.core.optimisers import Optimiser
from symla.core.types import (
    Action,
    Continuous,
    Observation,
    Params,
    PRNGKey,
    Rollout,
    Scalar,
    Spec,
    State,
)


class Networks(NamedTuple):
    """A deterministic policy and its critics, which are stacked on a leading axis."""

    policy: Perceptron
    critics: Perceptron


class TD3Weights(NamedTuple):
    """All that an update changes."""

    networks: Networks
    targets: Networks
    optimizers: Networks  # their states


class TD3State(NamedTuple):
    """A learner: its weights, and what it remembers."""

    weights: TD3Weights
    replay: Replay  # of what `TD3.transition` returns, as the environment gave it
    normalisation: Normalisation


@dataclass(frozen=True)
class TD3:
    """Twin delayed deep deterministic policy gradient, with the defaults of Stable-Baselines3.

        y = r + discount min_k Q'_k(s', pi'(s') + clipped noise)       0 after termination
        critics minimise sum_k (Q_k(s, a) - y)^2; each `policy_delay` updates the policy minimises
        -Q_1(s, pi(s)), and target networks move by `target_rate` towards the networks

    After each `interval` steps come as many updates as there were steps; SB3 makes one after each,
    which `interval=1` does. Actions are random for the first `random_steps`, then pi(s) plus normal
    noise, clipped to [-1, 1]; SB3 leaves the noise to the user, and its zoo takes 0.1. Raises
    SettingError outside ranges.
    """

    units: tuple[int, ...] = (400, 300)  # of the hidden layers of policy and critics
    critics: int = 2  # the smaller of their values is learned from
    policy_delay: int = 2  # updates of the critics for one of the policy and the targets
    discount: float = 0.99
    target_rate: float = 0.005
    target_noise: float = 0.2  # of the action that targets are computed for, its deviation
    target_noise_limit: float = 0.5
    exploration_noise: float = 0.1  # of actions, its standard deviation
    random_steps: int = 100  # whose actions are drawn uniformly, before the first update
    batch: int = 256
    capacity: int = 1_000_000  # transitions of the replay buffer
    interval: int = 50  # steps between learning, and updates of the critics then
    policy_optimizer: Optimiser = Optimiser(1e-3)
    critic_optimizer: Optimiser = Optimiser(1e-3)
    layer_norm: bool = False
    normalise_observations: bool = False  # both: as VecNormalize does it
    normalise_rewards: bool = False

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Of the MetaGenRL paper (Kirsch et al. 2020).
        "paper": {
            "units": (350, 350),
            "layer_norm": True,
            "batch": 100,
            "random_steps": 10_000,
        },
        # 64 units: most of an update is overhead, and agents are small enough for many at once.
        "small": {"units": (64, 64), "batch": 100, "random_steps": 1_000},
    }

    def __post_init__(self):
        require(
            len(self.units) >= 1 and min(self.units) >= 1,
            f"units must be one number of at least 1 for each hidden layer, got {self.units}",
        )
        for name in ("critics", "policy_delay", "batch", "interval"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")
        for name in ("target_noise", "target_noise_limit", "exploration_noise", "random_steps"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"{name} must be a number of at least 0, got {value}")
        require(0 <= self.discount <= 1, f"discount must be in [0, 1], got {self.discount}")
        require(0 < self.target_rate <= 1, f"target_rate must be in (0, 1]: {self.target_rate}")
        steps = self.interval * self.workers
        require(
            self.capacity >= steps,
            f"capacity must hold the {steps} steps of an interval, got {self.capacity}",
        )

    @property
    def workers(self) -> int:
        """It lives in one environment."""
        return 1

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> TD3State:
        """Raises SizeError where actions are not continuous."""
        if not isinstance(spec.action, Continuous):
            raise SizeError(
                f"{type(self).__name__} learns continuous actions, and this environment has "
                f"{spec.action_size} discrete ones: take ppo or q-learning there"
            )
        policy_key, critics_key, replay_key = jax.random.split(key, 3)
        sizes, actions = (spec.observation_size, *self.units), spec.action_size

        def init_critic(key: PRNGKey) -> Perceptron:
            both = (spec.observation_size + actions, *self.units, 1)
            return init_perceptron(key, both, normalise=self.layer_norm)

        networks = Networks(
            init_perceptron(policy_key, (*sizes, actions), normalise=self.layer_norm),
            jax.vmap(init_critic)(jax.random.split(critics_key, self.critics)),
        )
        optimizers = Networks(
            self.policy_optimizer.init(networks.policy),
            self.critic_optimizer.init(networks.critics),
        )
        buffer = replay.init(replay_key, self.transition(spec), self.capacity)
        statistics = normalisation.init(
            spec,
            self.workers,
            observations=self.normalise_observations,
            rewards=self.normalise_rewards,
        )
        return TD3State(TD3Weights(networks, networks, optimizers), buffer, statistics)

    def transition(self, spec: Spec) -> Any:
        """What a row of the buffer holds."""
        return no_experience(spec.observation_size, spec.action_size)

    def act(
        self, params: Params, state: TD3State, observation: Observation, key: PRNGKey
    ) -> tuple[Action, Any]:
        noise_key, random_key = jax.random.split(key)
        chosen = self.greedy(params, state, observation)
        noise = self.exploration_noise * jax.random.normal(noise_key, chosen.shape)
        random = jax.random.uniform(random_key, chosen.shape, minval=-1.0, maxval=1.0)
        explores = state.replay.added < self.random_steps
        return jnp.where(explores, random, jnp.clip(chosen + noise, -1.0, 1.0)), ()

    def greedy(self, params: Params, state: TD3State, observation: Observation) -> Action:
        """pi(s)."""
        observation = normalisation.observation(state.normalisation, observation)
        return policy(state.weights.networks.policy, observation)

    def learn(
        self, params: Params, state: TD3State, rollout: Rollout, t: Array, key: PRNGKey
    ) -> TD3State:
        state = self.remember(state, rollout)
        # So many updates were there before; all numbers follow from t, which is not batched.
        stretch = self.interval * self.workers
        first = max(1, math.ceil(self.random_steps / stretch))
        before = (t // stretch - first) * self.interval
        count = jnp.where(before >= 0, self.interval, 0)

        def one(i: Array, weights: TD3Weights) -> TD3Weights:
            updated = self.update(
                params, state._replace(weights=weights), before + i, jax.random.fold_in(key, i)
            )
            return updated.weights

        return state._replace(weights=jax.lax.fori_loop(0, count, one, state.weights))

    def remember(self, state: TD3State, rollout: Rollout) -> TD3State:
        """The state with the steps of the rollout in its buffer."""
        return state._replace(
            replay=replay.add(state.replay, experience(rollout)),
            normalisation=normalisation.updated(state.normalisation, rollout, self.discount),
        )

    def update(self, params: Params, state: TD3State, number: Array, key: PRNGKey) -> TD3State:
        """One update of the critics, and if `number` says so of the policy and the targets."""
        batch_key, noise_key = jax.random.split(key)
        batch = replay.sample(state.replay, batch_key, self.batch)
        batch = normalisation.normalised(state.normalisation, batch)
        noise = self.target_noise * jax.random.normal(noise_key, batch.action.shape)
        weights = self.update_critics(state.weights, batch, noise)
        weights = jax.lax.cond(
            (number + 1) % self.policy_delay == 0,
            lambda weights: self.update_targets(self.update_policy(weights, batch)),
            lambda weights: weights,
            weights,
        )
        return state._replace(weights=weights)

    def target(
        self, targets: Networks, batch: Experience, noise: Float[Array, "batch B"]
    ) -> Float[Array, " batch"]:
        """y, for noise that is not clipped yet."""
        limited = jnp.clip(noise, -self.target_noise_limit, self.target_noise_limit)
        action = jnp.clip(policy(targets.policy, batch.next_observation) + limited, -1.0, 1.0)
        values = critics(targets.critics, batch.next_observation, action)
        return bootstrapped(batch, jnp.min(values, axis=0), self.discount)

    def update_critics(
        self, weights: TD3Weights, batch: Experience, noise: Float[Array, "batch B"]
    ) -> TD3Weights:
        """One step down sum_k (Q_k(s, a) - y)^2."""
        target = self.target(weights.targets, batch, noise)

        def loss(params: Perceptron) -> Scalar:
            errors = critics(params, batch.observation, batch.action) - target[None]
            return jnp.sum(jax.vmap(mean_where, (None, 0))(batch.known, errors**2))

        networks, optimizers = weights.networks, weights.optimizers
        params, optimizer = self.critic_optimizer.descend(
            networks.critics, jax.grad(loss)(networks.critics), optimizers.critics
        )
        return weights._replace(
            networks=networks._replace(critics=params),
            optimizers=optimizers._replace(critics=optimizer),
        )

    def update_policy(self, weights: TD3Weights, batch: Experience) -> TD3Weights:
        """One step down -Q_1(s, pi(s))."""
        first = first_critic(weights.networks.critics)

        def loss(params: Perceptron) -> Scalar:
            action = policy(params, batch.observation)
            return -jnp.mean(critic(first, batch.observation, action))

        networks, optimizers = weights.networks, weights.optimizers
        params, optimizer = self.policy_optimizer.descend(
            networks.policy, jax.grad(loss)(networks.policy), optimizers.policy
        )
        return weights._replace(
            networks=networks._replace(policy=params),
            optimizers=optimizers._replace(policy=optimizer),
        )

    def update_targets(self, weights: TD3Weights) -> TD3Weights:
        """Policy and critics of the targets, moved towards the networks."""
        moved = moved_towards(weights.targets, weights.networks, self.target_rate)
        return weights._replace(targets=moved)


@dataclass(frozen=True)
class DDPG(TD3):
    """Deep deterministic policy gradient, as Stable-Baselines3 has it: TD3 with one critic, no
    noise in its targets, and a policy that is updated as often as the critic."""

    critics: int = 1
    policy_delay: int = 1
    target_noise: float = 0.0


def first_critic(params: State) -> Perceptron:
    """Q_1 of the stacked critics."""
    return jax.tree.map(lambda x: x[0], params)
