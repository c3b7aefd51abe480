"""SymLA as in the paper's appendix: the formulation that the others are compared with.

One function updates one weight: it concatenates the weight's inputs for an ordinary LSTM cell and
computes the weight's own two messages. `vmap` makes it a layer, whose messages are then averaged.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array

from symla.algorithms import SymLA
from symla.algorithms.symla.layer import Layer, Weights
from symla.core.distributions import Categorical
from symla.core.networks import LSTM, linear, lstm
from symla.core.types import Action, Percept, PRNGKey, Spec


@dataclass(frozen=True)
class LiteralSymLA:
    """The same learning algorithm as `SymLA` with one layer, and the same meta-parameters.

    The paper's setting: 2 micro ticks, 8 numbers a message, the mean of the messages.
    """

    hidden_size: int = 16  # N
    message_size: int = 8  # M
    micro_ticks: int = 2

    @property
    def _reference(self) -> SymLA:
        return SymLA(self.hidden_size, self.message_size, self.micro_ticks, backend="plain")

    def init_params(self, key: PRNGKey, spec: Spec) -> Weights:
        """Fresh meta-parameters; `spec` is not used."""
        return self._reference.init_params(key, spec)

    def init_state(self, params: Weights, key: PRNGKey, spec: Spec) -> Layer:
        """Messages and LSTM states of zeros."""
        return self._reference.init_state(params, key, spec).layers[0]

    def step(
        self, params: Weights, state: Layer, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, Layer]:
        """Learn from the percept, then sample an action from the softmax of the logits."""
        policy, state = self.update(params, state, percept)
        return policy.sample(key), state

    def update(self, params: Weights, state: Layer, percept: Percept) -> tuple[Categorical, Layer]:
        """Returns the policy and the new state."""
        # [message from b, observation, message from a, previous action, reward, done]
        rows = jnp.concatenate([params.below, params.above, params.shared])
        cell = LSTM(rows, params.recurrent, params.bias)

        def weight(h, c, backward_a, observation_a, forward_b, action_b):
            inputs = (backward_a, observation_a, forward_b, action_b, percept.reward, percept.done)
            x = jnp.concatenate([jnp.atleast_1d(i) for i in inputs])
            for _ in range(self.micro_ticks):
                h, c = lstm(cell, h, c, x)
            return h, c, linear(params.forward, h), linear(params.backward, h)

        over_b = jax.vmap(weight, (0, 0, None, None, 0, 0))
        over_ab = jax.vmap(over_b, (0, 0, 0, 0, None, None))
        hidden, new_cell, forward, backward = over_ab(
            *(state.hidden, state.cell),
            *(state.backward, percept.observation),
            *(state.forward, percept.action),
        )
        forward, backward = jnp.mean(forward, axis=0), jnp.mean(backward, axis=1)
        return Categorical(forward[:, 0]), Layer(hidden, new_cell, forward, backward)
