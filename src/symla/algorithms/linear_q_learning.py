"""Q-learning with linear values, the reference where observations are vectors."""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.q_learning import epsilon_greedy
from symla.core.errors import SizeError, require
from symla.core.types import Action, Discrete, Percept, PRNGKey, Spec


class LinearQState(NamedTuple):
    """The weights of each action, and the features in which the last one was chosen."""

    weights: Float[Array, "F B"]
    features: Float[Array, " F"]  # the observation, and 1


@dataclass(frozen=True)
class LinearQLearning:
    """Q(o, b) = [o, 1] . w_b, by semi-gradient Q-learning (Sutton and Barto 2018, section 11.2)
    with a step normalised by the features, so that it does not depend on their scale:

        w_a += learning_rate (r + discount max_b Q(o', b) - Q(o, a)) x / (x . x),  x = [o, 1]

    Epsilon-greedy; epsilon falls over the lifetime as max(least, epsilon / (1 + epsilon_decay t)).
    Ends of episodes count as in `QLearning`. Raises SettingError outside ranges.
    """

    learning_rate: float = 0.1
    discount: float = 0.95
    epsilon: float = 1.0
    epsilon_decay: float = 0.05
    least: float = 0.02

    def __post_init__(self):
        require(0 < self.learning_rate < 2, f"learning_rate must be in (0, 2): {self}")
        require(0 <= self.discount <= 1, f"discount must be in [0, 1]: {self}")
        require(0 <= self.least <= self.epsilon <= 1, f"0 <= least <= epsilon <= 1: {self}")
        require(0 <= self.epsilon_decay < jnp.inf, f"epsilon_decay must be at least 0: {self}")

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: tuple[()], key: PRNGKey, spec: Spec) -> LinearQState:
        """Raises SizeError for continuous actions."""
        if not isinstance(spec.action, Discrete):
            raise SizeError("linear-q-learning chooses among Discrete actions")
        size = spec.observation_size + 1
        return LinearQState(jnp.zeros((size, spec.action_size)), jnp.zeros(size))

    def step(
        self, params: tuple[()], state: LinearQState, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, LinearQState]:
        weights = self._learn(state, percept)
        features = _features(percept.observation)
        decayed = self.epsilon / (1.0 + self.epsilon_decay * t.astype(jnp.float32))
        values = jnp.sum(features[:, None] * weights, axis=0)
        action = epsilon_greedy(key, values, jnp.maximum(self.least, decayed))
        return action, LinearQState(weights, features)

    def _learn(self, state: LinearQState, percept: Percept) -> Float[Array, "F B"]:
        """The weights after the last step. Before the first, the previous action is all zeros."""
        known = jnp.all(jnp.isfinite(percept.final_observation))
        led_to = jnp.where(known, percept.final_observation, percept.observation)
        after = jnp.max(jnp.sum(_features(led_to)[:, None] * state.weights, axis=0))
        x = state.features
        before = jnp.sum(jnp.sum(x[:, None] * state.weights, axis=0) * percept.action)
        target = percept.reward + jnp.where(percept.terminated, 0.0, self.discount * after)
        learns = known | percept.terminated | ~percept.truncated
        size = self.learning_rate / jnp.maximum(jnp.sum(x * x), 1e-8)
        change = jnp.where(learns, size * (target - before), 0.0)
        return state.weights + change * x[:, None] * percept.action[None]


def _features(observation: Float[Array, " A"]) -> Float[Array, " F"]:
    return jnp.append(observation, 1.0)
