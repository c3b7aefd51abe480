"""EPG (Houthooft et al. 2018): a loss that is evolved, and by whose gradient a policy learns."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.parts import actor_critics, linear_baseline
from symla.algorithms.parts.actor_critics import Policy
from symla.core.distributions import encode
from symla.core.errors import SizeError, require
from symla.core.networks import (
    Linear,
    Perceptron,
    init_linear,
    init_perceptron,
    linear,
    perceptron,
)
from symla.core.optimisers import Optimiser
from symla.core.types import (
    Action,
    ActionSpace,
    Continuous,
    Observation,
    PRNGKey,
    Rollout,
    Scalar,
    Spec,
    State,
)

FIRST, SECOND = (6, 5), (4, 2)  # width and stride of the convolutions
FILTERS = 16, 32
CONTEXT = 32  # numbers that the history is summed up in
MEMORY = 64, 32  # inputs of the memory, all 1, and its numbers
SHORTEST = FIRST[0] + (SECOND[0] - 1) * FIRST[1]  # a history of which a convolution is left
LOG_DEVIATION = -0.5  # of the first policy's Gaussian
LIMIT = 10.0  # of what the loss sees


class EPGLoss(NamedTuple):
    """The evolved loss: the meta-parameters."""

    first: Linear  # a convolution, as a linear map of the window
    second: Linear
    context: Linear
    step: Perceptron  # of the features of a step, the context and the memory


class EPGWeights(NamedTuple):
    """All that the gradient of the loss changes."""

    policy: Policy
    memory: Linear


class EPGState(NamedTuple):
    """A learner, and the steps that it learned from last."""

    weights: EPGWeights
    optimizer: State
    history: Float[Array, "steps W features"]  # observation, action, reward, done; zeros at first
    action: ActionSpace


@dataclass(frozen=True)
class EPG:
    """Evolved policy gradients: the meta-parameters are a loss, in place of that of PPO.

        context   of the last `history` steps in each environment, by two convolutions over time
        memory    tanh of a layer whose inputs are constant, and which is learned as the policy is
        loss      mean over the last `interval` steps of
                  f(observation, action, reward, done, the policy's outputs, context, memory)

    One step of Adam down its gradient, which goes through the policy's outputs and the memory,
    comes after every `interval` steps in each of `workers` environments. `guidance` is the share of
    PPO's loss in what is descended, with a linear baseline: 1 at first, 0 later, over stages of
    meta-training. The loss sees observations, and is of their size. Raises SettingError outside
    ranges.
    """

    units: tuple[int, ...] = (64, 64)  # of the hidden layers of the policy, tanh
    interval: int = 64  # steps in each environment between learning
    workers: int = 1  # environments side by side
    history: int = 512  # steps in each environment
    guidance: float = 0.0
    discount: float = 0.99
    clip: float = 0.2  # of PPO
    optimizer: Optimiser = Optimiser(1e-3)

    def __post_init__(self):
        require(
            len(self.units) >= 1 and min(self.units) >= 1,
            f"units must be one number of at least 1 for each hidden layer, got {self.units}",
        )
        for name in ("interval", "workers"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")
        least = max(SHORTEST, self.interval)
        require(
            self.history >= least,
            f"history must be at least {least} steps, so that the convolutions fit and an interval "
            f"does, got {self.history}",
        )
        for name in ("guidance", "discount", "clip"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} must be in [0, 1], got {value}")

    def init_params(self, key: PRNGKey, spec: Spec) -> EPGLoss:
        first, second, context, step = jax.random.split(key, 4)
        size = _features(spec)
        return EPGLoss(
            init_linear(first, FIRST[0] * size, FILTERS[0]),
            init_linear(second, SECOND[0] * FILTERS[0], FILTERS[1]),
            init_linear(context, FILTERS[1], CONTEXT),
            init_perceptron(step, (size + CONTEXT + MEMORY[1], 16, 1), init_linear),
        )

    def init_state(self, params: EPGLoss, key: PRNGKey, spec: Spec) -> EPGState:
        """Raises SizeError if the loss was evolved for other sizes."""
        size = params.first.weight.shape[0] // FIRST[0]
        if size != _features(spec):
            raise SizeError(
                f"this loss sees {size} numbers of a step, and here there are {_features(spec)}: "
                "what epg learns by is tied to the observations and actions it was evolved with"
            )
        policy_key, memory_key = jax.random.split(key)
        sizes = spec.observation_size, *self.units, spec.action_size
        continuous = isinstance(spec.action, Continuous)
        deviation = jnp.full(spec.action_size, LOG_DEVIATION) if continuous else None
        weights = EPGWeights(
            Policy(init_perceptron(policy_key, sizes), deviation),
            init_linear(memory_key, *MEMORY),
        )
        seen = spec.observation_size + spec.action_size + 2
        nothing = jnp.zeros((self.history, self.workers, seen))
        return EPGState(weights, self.optimizer.init(weights), nothing, spec.action)

    def act(
        self, params: EPGLoss, state: EPGState, observation: Observation, key: PRNGKey
    ) -> tuple[Action, Any]:
        return actor_critics.act(state.weights.policy, observation, key)

    def greedy(self, params: EPGLoss, state: EPGState, observation: Observation) -> Action:
        """The most probable action, or the mean of the Gaussian."""
        return actor_critics.greedy(state.weights.policy, observation)

    def learn(
        self, params: EPGLoss, state: EPGState, rollout: Rollout, t: Array, key: PRNGKey
    ) -> EPGState:
        shown = jnp.concatenate([state.history, _shown(state.action, rollout)])[-self.history :]

        def descended(weights: EPGWeights) -> Scalar:
            learned = self.loss(params, weights, shown, rollout.observation.shape[-1])
            if not self.guidance:
                return learned
            return (1.0 - self.guidance) * learned + self.guidance * self.guide(
                weights.policy, state.weights.policy, rollout
            )

        slope = jax.grad(descended)(state.weights)
        weights, optimizer = self.optimizer.descend(state.weights, slope, state.optimizer)
        return EPGState(weights, optimizer, shown, state.action)

    def loss(
        self,
        params: EPGLoss,
        weights: EPGWeights,
        shown: Float[Array, "steps W features"],
        observations: int,
    ) -> Scalar:
        """The evolved loss of the last interval, after that history; the first of the features are
        so many observations."""
        said = _said(weights.policy, shown[..., :observations])
        x = jnp.clip(jnp.concatenate([shown, said], axis=-1), -LIMIT, LIMIT)
        found = _convolved(params.second, _convolved(params.first, x, FIRST), SECOND)
        context = jnp.tanh(linear(params.context, jnp.mean(found, axis=(0, 1))))
        memory = jnp.tanh(linear(weights.memory, jnp.ones(MEMORY[0])))
        recent = x[-self.interval :]
        both = jnp.concatenate([context, memory])
        joined = jnp.concatenate(
            [recent, jnp.broadcast_to(both, (*recent.shape[:2], both.size))], axis=-1
        )
        return jnp.mean(perceptron(params.step, joined, _leaky_relu))

    def guide(self, policy: Policy, acted: Policy, rollout: Rollout) -> Scalar:
        """PPO's loss: -E[min(r A, clip(r, 1 - clip, 1 + clip) A)]."""
        advantage = linear_baseline.advantages(rollout, self.discount).reshape(-1)
        discrete = policy.log_deviation is None
        seen = rollout.observation, rollout.action if discrete else rollout.extras
        observation, action = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), seen)
        now, _ = actor_critics.log_probabilities(policy, observation, action)
        before, _ = actor_critics.log_probabilities(acted, observation, action)
        ratio = jnp.exp(now - before)
        limited = jnp.clip(ratio, 1.0 - self.clip, 1.0 + self.clip)
        return -jnp.mean(jnp.minimum(ratio * advantage, limited * advantage))


def _features(spec: Spec) -> int:
    """What the loss sees of a step, besides the context and the memory."""
    outputs = 2 if isinstance(spec.action, Continuous) else 1
    return spec.observation_size + 2 + (1 + outputs) * spec.action_size


def _shown(space: ActionSpace, rollout: Rollout) -> Float[Array, "steps W features"]:
    """What happened: observation, action, reward, done."""
    action = jax.vmap(jax.vmap(lambda a: encode(space, a)))(rollout.action)
    numbers = jnp.stack([rollout.reward, rollout.done.astype(jnp.float32)], axis=-1)
    return jnp.concatenate([rollout.observation, action, numbers], axis=-1)


def _said(
    policy: Policy, observation: Float[Array, "steps W A"]
) -> Float[Array, "steps W outputs"]:
    """The probabilities of actions, or mean and log deviation."""
    outputs = perceptron(policy.network, observation, jnp.tanh)
    if policy.log_deviation is None:
        return jax.nn.softmax(outputs)
    deviation = jnp.broadcast_to(policy.log_deviation, outputs.shape)
    return jnp.concatenate([outputs, deviation], axis=-1)


def _convolved(
    params: Linear, x: Float[Array, "steps W features"], window: tuple[int, int]
) -> Float[Array, "fewer W filters"]:
    """Over time, in each environment; then a leaky ReLU."""
    width, stride = window
    fewer = (x.shape[0] - width) // stride + 1
    shifted = [x[i : i + (fewer - 1) * stride + 1 : stride] for i in range(width)]
    flat = jnp.concatenate(shifted, axis=-1)
    return _leaky_relu(linear(params, flat))


def _leaky_relu(x: Array) -> Array:
    return jnp.maximum(x, 0.01 * x)
