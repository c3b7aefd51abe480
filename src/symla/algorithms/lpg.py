"""LPG (Oh et al. 2020): a learned rule says what the policy and its predictions are to become."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.parts.critics import known_next_observation
from symla.core.distributions import Categorical
from symla.core.errors import SizeError, require
from symla.core.networks import (
    LSTM,
    Linear,
    Perceptron,
    init_linear,
    init_lstm,
    init_perceptron,
    linear,
    lstm,
    perceptron,
)
from symla.core.types import Action, Discrete, Observation, PRNGKey, Rollout, Scalar, Spec

SIGNALS = 5  # that the rule sees of a step


class LPGParams(NamedTuple):
    """The rule."""

    embedding: Perceptron  # of a prediction y, to one number
    memory: LSTM  # which reads a rollout backwards
    policy: Linear  # to pi_hat
    prediction: Linear  # to the logits of y_hat


class LPGAgent(NamedTuple):
    """What learns: two networks that share nothing."""

    policy: Perceptron  # logits of the actions
    prediction: Perceptron  # logits of y(s), whose meaning is learned by the rule


class Targets(NamedTuple):
    """What the rule makes of a rollout."""

    policy: Float[Array, "steps W"]  # pi_hat: how much more probable the action is to become
    logits: Float[Array, "steps W predictions"]  # of y_hat, what y(s) is to become


@dataclass(frozen=True)
class LPG:
    """A learned policy gradient: the meta-parameters are a rule, which replaces advantages and
    value functions.

        pi_hat, y_hat = rule(r, d, pi(a | s), phi(y(s)), phi(y(s')))        backwards over a rollout
        policy      ascends E[log pi(a | s) pi_hat]
        prediction  descends E[KL(y(s), y_hat)], weighted by `divergence`

    by plain gradient steps, after every `interval` steps in each of `workers` environments. y(s)
    are `predictions` probabilities, which the rule is free to use as a value function. The memory
    is an LSTM, begun anew where an episode ends. An end is an end to it: as in the paper it is not
    told whether a step terminated its episode or was truncated, and sees no y after either (the
    rules that were trained so know no other). The defaults are those of tables: with `units` of
    hidden layers, tanh, rates must be far lower.

    The meta-objective gains the entropies of the policy and of y, and loses the squares of pi_hat
    and of the logits of y_hat, each by its weight. Raises SettingError outside ranges.
    """

    hidden_size: int = 32  # of the LSTM; 256 in the paper
    predictions: int = 8  # 30 in the paper
    units: tuple[int, ...] = ()  # of hidden layers of policy and predictions; (): linear
    interval: int = 20
    workers: int = 64
    rate: float = 40.0  # of the policy
    prediction_rate: float = 4.0
    divergence: float = 0.5
    entropy: float = 0.05
    prediction_entropy: float = 0.001
    policy_penalty: float = 0.005
    prediction_penalty: float = 0.001

    def __post_init__(self):
        require(min(self.units, default=1) >= 1, f"units must be at least 1, got {self.units}")
        require(self.predictions >= 2, f"predictions must be at least 2, got {self.predictions}")
        for name in ("hidden_size", "interval", "workers"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")
        weights = "rate", "prediction_rate", "divergence", "entropy", "prediction_entropy"
        for name in (*weights, "policy_penalty", "prediction_penalty"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"{name} must be a number of at least 0, got {value}")

    def init_params(self, key: PRNGKey, spec: Spec) -> LPGParams:
        embedding, memory, policy, prediction = jax.random.split(key, 4)
        return LPGParams(
            init_perceptron(embedding, (self.predictions, 16, 1), init_linear),
            init_lstm(memory, SIGNALS, self.hidden_size),
            init_linear(policy, self.hidden_size, 1),
            init_linear(prediction, self.hidden_size, self.predictions),
        )

    def init_state(self, params: LPGParams, key: PRNGKey, spec: Spec) -> LPGAgent:
        """A fresh agent. Raises SizeError where actions are continuous."""
        if not isinstance(spec.action, Discrete):
            raise SizeError(
                "lpg learns among discrete actions, and this environment has continuous ones: take "
                "metagenrl or maml there"
            )
        policy, prediction = jax.random.split(key)
        sizes = spec.observation_size, *self.units
        return LPGAgent(
            init_perceptron(policy, (*sizes, spec.action_size)),
            init_perceptron(prediction, (*sizes, self.predictions)),
        )

    def act(
        self, params: LPGParams, state: LPGAgent, observation: Observation, key: PRNGKey
    ) -> tuple[Action, Any]:
        return Categorical(_outputs(state.policy, observation)).sample(key), ()

    def greedy(self, params: LPGParams, state: LPGAgent, observation: Observation) -> Action:
        """The most probable action."""
        return Categorical(_outputs(state.policy, observation)).mode()

    def learn(
        self, params: LPGParams, state: LPGAgent, rollout: Rollout, t: Array, key: PRNGKey
    ) -> LPGAgent:
        return self._learned(params, state, rollout)[0]

    def learn_with_penalty(
        self, params: LPGParams, state: LPGAgent, rollout: Rollout, t: Array, key: PRNGKey
    ) -> tuple[LPGAgent, Scalar]:
        """As `learn`, and the squares of what the rule said, by their weights."""
        return self._learned(params, state, rollout)

    def judge(
        self, params: LPGParams, state: LPGAgent, rollout: Rollout
    ) -> tuple[Float[Array, "steps W"], Scalar]:
        """log-probabilities of the actions, and the entropies by their weights."""
        logits = jax.nn.log_softmax(_outputs(state.policy, rollout.observation))
        prediction = jax.nn.log_softmax(_outputs(state.prediction, rollout.observation))
        gained = self.entropy * _entropy(logits) + self.prediction_entropy * _entropy(prediction)
        return _chosen(logits, rollout.action), gained

    def targets(self, params: LPGParams, state: LPGAgent, rollout: Rollout) -> Targets:
        """pi_hat and y_hat, for an agent as it is."""
        policy = jax.nn.softmax(_outputs(state.policy, rollout.observation))
        done = rollout.done.astype(jnp.float32)

        def embedded(observation: Float[Array, "steps W A"]) -> Float[Array, "steps W"]:
            prediction = jax.nn.softmax(_outputs(state.prediction, observation))
            return perceptron(params.embedding, prediction)[..., 0]

        after = (1.0 - done) * embedded(known_next_observation(rollout))
        probability = _chosen(policy, rollout.action)
        seen = rollout.reward, done, probability, embedded(rollout.observation), after
        step = jax.vmap(lstm, (None, 0, 0, 0))

        def back(later: tuple[Array, Array], now: tuple[Array, Array]) -> Any:
            signals, done = now
            hidden, cell = (jnp.where(done[:, None] > 0, 0.0, x) for x in later)
            carried = step(params.memory, hidden, cell, signals)
            return carried, carried[0]

        start = jnp.zeros((rollout.reward.shape[1], self.hidden_size))
        signals = jnp.stack(seen, axis=-1)
        _, hidden = jax.lax.scan(back, (start, start), (signals, done), reverse=True)
        return Targets(linear(params.policy, hidden)[..., 0], linear(params.prediction, hidden))

    def _learned(
        self, params: LPGParams, state: LPGAgent, rollout: Rollout
    ) -> tuple[LPGAgent, Scalar]:
        targets = self.targets(params, state, rollout)
        wanted = jax.nn.log_softmax(targets.logits)

        def gain(policy: Perceptron) -> Scalar:
            logits = jax.nn.log_softmax(_outputs(policy, rollout.observation))
            return jnp.mean(_chosen(logits, rollout.action) * targets.policy)

        def loss(prediction: Perceptron) -> Scalar:
            log = jax.nn.log_softmax(_outputs(prediction, rollout.observation))
            return self.divergence * jnp.mean(jnp.sum(jnp.exp(log) * (log - wanted), axis=-1))

        def moved(rate: float, weights: Perceptron, slope: Perceptron) -> Perceptron:
            return jax.tree.map(lambda x, y: x + rate * y, weights, slope)

        agent = LPGAgent(
            moved(self.rate, state.policy, jax.grad(gain)(state.policy)),
            moved(-self.prediction_rate, state.prediction, jax.grad(loss)(state.prediction)),
        )
        said, predicted = jnp.mean(targets.policy**2), jnp.mean(targets.logits**2)
        return agent, self.policy_penalty * said + self.prediction_penalty * predicted


def _outputs(
    network: Perceptron, observation: Float[Array, "*batch A"]
) -> Float[Array, "*batch O"]:
    return perceptron(network, observation, jnp.tanh)


def _chosen(table: Float[Array, "steps W B"], action: Array) -> Float[Array, "steps W"]:
    """What a table with an entry for each action has for those that were taken."""
    one_hot = jax.nn.one_hot(action, table.shape[-1])
    return jnp.sum(table * one_hot, axis=-1)


def _entropy(log: Float[Array, "*batch O"]) -> Scalar:
    """The mean of that of distributions whose logarithms these are."""
    return -jnp.mean(jnp.sum(jnp.exp(log) * log, axis=-1))
