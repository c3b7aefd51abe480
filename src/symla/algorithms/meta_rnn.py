"""MetaRNN (RL^2; Duan et al. 2016, Wang et al. 2016): one LSTM with state across episodes."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.distributions import sample_action
from symla.core.errors import SizeError, require
from symla.core.networks import LSTM, Linear, init_linear, init_lstm, linear, lstm
from symla.core.types import Action, Percept, PRNGKey, Spec


class MetaRNNParams(NamedTuple):
    """The meta-parameters: all weights of the network."""

    lstm: LSTM
    readout: Linear  # N -> B, the logits


class MetaRNNState(NamedTuple):
    """The state of the LSTM."""

    hidden: Float[Array, " N"]
    cell: Float[Array, " N"]


@dataclass(frozen=True)
class MetaRNN:
    """The network without symmetries that the paper compares SymLA with.

    Input: observation, previous action (one-hot), reward, done. Its weights fit one number of
    observations and of actions. Raises SettingError for a size below 1.
    """

    hidden_size: int = 64  # N

    def __post_init__(self):
        require(self.hidden_size >= 1, f"hidden_size must be at least 1, got {self.hidden_size}")

    def init_params(self, key: PRNGKey, spec: Spec) -> MetaRNNParams:
        lstm_key, readout_key = jax.random.split(key)
        inputs = spec.observation_size + spec.action_size + 2
        return MetaRNNParams(
            init_lstm(lstm_key, inputs, self.hidden_size),
            init_linear(readout_key, self.hidden_size, spec.action_size),
        )

    def init_state(self, params: MetaRNNParams, key: PRNGKey, spec: Spec) -> MetaRNNState:
        actions = params.readout.bias.shape[0]
        observations = params.lstm.input.shape[0] - actions - 2
        if (observations, actions) != (spec.observation_size, spec.action_size):
            raise SizeError(
                f"this MetaRNN was trained for {observations} observations and {actions} actions, "
                f"but the environment has {spec.observation_size} and {spec.action_size}. Each of "
                "its weights belongs to one input or action, so it cannot change size: use SymLA, "
                "whose rule runs on any size, or train a MetaRNN on this environment"
            )
        return MetaRNNState(jnp.zeros(self.hidden_size), jnp.zeros(self.hidden_size))

    def step(
        self, params: MetaRNNParams, state: MetaRNNState, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, MetaRNNState]:
        logits, state = self.update(params, state, percept)
        return sample_action(key, logits), state

    def differentiable(self) -> "MetaRNN":
        return self

    def update(
        self, params: MetaRNNParams, state: MetaRNNState, percept: Percept
    ) -> tuple[Float[Array, " B"], MetaRNNState]:
        """Returns the logits and the new state."""
        scalars = jnp.stack([percept.reward, percept.done])
        inputs = jnp.concatenate([percept.observation, percept.action, scalars])
        hidden, cell = lstm(params.lstm, state.hidden, state.cell, inputs)
        return linear(params.readout, hidden), MetaRNNState(hidden, cell)
