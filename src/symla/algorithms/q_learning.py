"""Tabular Q-learning (Watkins 1989), the reference where an observation is one of a few states."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.distributions import NOT_FINITE
from symla.core.errors import SizeError, require
from symla.core.types import Action, Discrete, Percept, PRNGKey, Spec


class QState(NamedTuple):
    """What is known of each action, and where the last one was chosen."""

    values: Float[Array, "A B"]  # Q(o, a)
    observation: Int[Array, ""]  # its number


@dataclass(frozen=True)
class QLearning:
    """Q(o, a) += learning_rate (r + discount max_b Q(o', b) - Q(o, a)), for one-hot observations.

    Epsilon-greedy; epsilon falls over the lifetime as epsilon / (1 + epsilon_decay t), t in steps.
    Ties are broken at random. A step that terminated its episode is not bootstrapped; one that was
    truncated is, from its final observation, and is left out where that is not known. Raises
    SettingError for settings outside their ranges.
    """

    # As benchmarks/q_learning_settings.py chose them.
    learning_rate: float = 0.65
    discount: float = 0.85
    epsilon: float = 1.0
    epsilon_decay: float = 0.3
    initial_value: float = 0.25

    def __post_init__(self):
        require(0 < self.learning_rate <= 1, f"learning_rate must be in (0, 1]: {self}")
        require(0 <= self.discount <= 1, f"discount must be in [0, 1]: {self}")
        require(0 <= self.epsilon <= 1, f"epsilon is a probability, 0 to 1: {self}")
        require(0 <= self.epsilon_decay < jnp.inf, f"epsilon_decay must be at least 0: {self}")
        require(abs(self.initial_value) < jnp.inf, f"initial_value must be finite: {self}")

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: tuple[()], key: PRNGKey, spec: Spec) -> QState:
        """Raises SizeError where there is no table of states and actions."""
        if not (spec.one_hot and isinstance(spec.action, Discrete)):
            raise SizeError(
                "q-learning has a table of states and actions: it needs one-hot observations "
                "(Spec(..., one_hot=True), Discrete in Gymnasium) and Discrete actions, and this "
                "environment has others"
            )
        values = jnp.full((spec.observation_size, spec.action_size), self.initial_value)
        return QState(values.astype(jnp.float32), jnp.zeros((), jnp.int32))

    def step(
        self, params: tuple[()], state: QState, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, QState]:
        values = self._learn(state, percept)
        observation = _number(percept.observation)
        epsilon = self.epsilon / (1.0 + self.epsilon_decay * t.astype(jnp.float32))
        action = epsilon_greedy(key, values[observation], epsilon)
        return action, QState(values, observation)

    def _learn(self, state: QState, percept: Percept) -> Float[Array, "A B"]:
        """The table after the last step. Before the first, the previous action is all zeros."""
        known = jnp.all(jnp.isfinite(percept.final_observation))
        led_to = jnp.where(known, percept.final_observation, percept.observation)
        value = jnp.where(percept.terminated, 0.0, jnp.max(state.values[_number(led_to)]))
        error = percept.reward + self.discount * value - state.values[state.observation]
        learns = known | percept.terminated | ~percept.truncated
        change = jnp.where(learns, self.learning_rate * error * percept.action, 0.0)
        return state.values.at[state.observation].add(change)


def _number(observation: Float[Array, " A"]) -> Int[Array, ""]:
    """Of a one-hot observation."""
    return jnp.argmax(observation).astype(jnp.int32)


def epsilon_greedy(key: PRNGKey, values: Float[Array, " B"], epsilon: Array) -> Action:
    """Any action with probability epsilon, else one of the best; none if values are not finite."""
    explore, *draws = jax.random.uniform(key, (values.size + 1,))
    eligible = (values == jnp.max(values)) | (explore < epsilon)
    action = jnp.argmax(jnp.where(eligible, jnp.stack(draws), -1.0)).astype(jnp.int32)
    return jnp.where(jnp.all(jnp.isfinite(values)), action, NOT_FINITE)
