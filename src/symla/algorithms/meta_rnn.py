"""MetaRNN (RL^2; Duan et al. 2016, Wang et al. 2016): one LSTM with state across episodes."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.distributions import Distribution, distribution_of
from symla.core.errors import SizeError, require
from symla.core.networks import LSTM, Linear, init_linear, init_lstm, linear, lstm
from symla.core.types import Action, ActionSpace, Continuous, Percept, PRNGKey, Spec


class MetaRNNParams(NamedTuple):
    """The meta-parameters: all weights of the network."""

    lstm: LSTM
    readout: Linear  # N -> B, the logits; N -> 2 B if actions are continuous


class MetaRNNState(NamedTuple):
    """The state of the LSTM."""

    hidden: Float[Array, " N"]
    cell: Float[Array, " N"]
    action: ActionSpace


@dataclass(frozen=True)
class MetaRNN:
    """The network without symmetries that the paper compares SymLA with.

    Input: observation, previous action, reward, done. Output: logits, or means and log deviations
    of continuous actions. Its weights fit one number of observations and of actions. Raises
    SettingError for a size below 1.
    """

    hidden_size: int = 64  # N

    def __post_init__(self):
        require(self.hidden_size >= 1, f"hidden_size must be at least 1, got {self.hidden_size}")

    def init_params(self, key: PRNGKey, spec: Spec) -> MetaRNNParams:
        lstm_key, readout_key = jax.random.split(key)
        inputs, outputs = _sizes(spec)
        return MetaRNNParams(
            init_lstm(lstm_key, inputs, self.hidden_size),
            init_linear(readout_key, self.hidden_size, outputs),
        )

    def init_state(self, params: MetaRNNParams, key: PRNGKey, spec: Spec) -> MetaRNNState:
        found = params.lstm.input.shape[0], params.readout.bias.shape[0]
        needed = _sizes(spec)
        if found != needed:
            raise SizeError(
                f"this MetaRNN has weights for {found[0]} inputs (observation, action, reward, "
                f"done) and {found[1]} outputs, but the environment needs {needed[0]} and "
                f"{needed[1]} ({spec.observation_size} observations, {spec.action}). Each of its "
                "weights belongs to one input or output, so it cannot change size: use SymLA, "
                "whose rule runs on any size, or train a MetaRNN on this environment"
            )
        zero = jnp.zeros(self.hidden_size)
        return MetaRNNState(zero, zero, spec.action)

    def step(
        self, params: MetaRNNParams, state: MetaRNNState, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, MetaRNNState]:
        policy, state = self.update(params, state, percept)
        return policy.sample(key), state

    def differentiable(self) -> "MetaRNN":
        return self

    def update(
        self, params: MetaRNNParams, state: MetaRNNState, percept: Percept
    ) -> tuple[Distribution, MetaRNNState]:
        """Returns the policy and the new state."""
        scalars = jnp.stack([percept.reward, percept.done])
        inputs = jnp.concatenate([percept.observation, percept.action, scalars])
        hidden, cell = lstm(params.lstm, state.hidden, state.cell, inputs)
        outputs = linear(params.readout, hidden).reshape(-1, state.action.size).T
        return distribution_of(state.action, outputs), MetaRNNState(hidden, cell, state.action)


def _sizes(spec: Spec) -> tuple[int, int]:
    """Numbers of inputs and of outputs."""
    outputs = 2 if isinstance(spec.action, Continuous) else 1
    return spec.observation_size + spec.action_size + 2, outputs * spec.action_size
