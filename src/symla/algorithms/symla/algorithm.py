"""SymLA: each weight of a network is a small LSTM; they share parameters and exchange messages."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array

from symla.algorithms.base import KEPT
from symla.algorithms.symla.layer import Aggregation, Layer, Weights
from symla.algorithms.symla.layer_update import Backend, has_fused_gradient, update_layer
from symla.core.distributions import Distribution, distribution_of
from symla.core.errors import SizeError, require
from symla.core.networks import init_gate_bias, init_linear, init_weight
from symla.core.types import Action, ActionSpace, Continuous, Percept, PRNGKey, Spec


class SymLAState(NamedTuple):
    """The state of each layer, from the observations to the actions; and what an action is."""

    layers: tuple[Layer, ...]
    action: ActionSpace


@dataclass(frozen=True)
class SymLA:
    """Symmetric learning agents (Kirsch et al., AAAI 2022), K = len(widths) + 1 layers.

    The meta-parameters do not depend on A, B, K or the widths: the same ones run on any of them.
    Where the paper does not specify something or contradicts itself, the choice is a field here or
    an entry in docs/paper.md. Raises SettingError for a setting outside its range.
    """

    hidden_size: int = 16  # N, units of each LSTM
    message_size: int = 8  # M, forward and backward
    micro_ticks: int = 2  # LSTM updates per step, with constant inputs
    widths: tuple[int, ...] = ()  # of the K - 1 layers of neurons between observation and action
    aggregation: Aggregation = "mean"
    initial_std: float = 0.0  # of the initial LSTM states; with 0 the symmetries are exact
    backend: Backend = "auto"  # of the layer update: fused kernel, plain JAX, or whichever suits

    def __post_init__(self):
        for name in ("hidden_size", "message_size", "micro_ticks"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")
        require(all(w >= 1 for w in self.widths), f"widths must be at least 1, got {self.widths}")
        require(
            self.aggregation in get_args(Aggregation),
            f"aggregation must be one of {', '.join(get_args(Aggregation))}, "
            f"got {self.aggregation!r}",
        )
        require(
            not (self.backend == "fused" and self.aggregation == "sorted-mean"),
            "the fused kernel has no sorted-mean: leave backend at 'auto', or take 'plain'",
        )
        require(
            self.backend in get_args(Backend),
            f"backend must be one of {', '.join(get_args(Backend))}, got {self.backend!r}",
        )
        require(
            math.isfinite(self.initial_std) and self.initial_std >= 0,
            f"initial_std must be a finite number of at least 0, got {self.initial_std}",
        )

    def init_params(self, key: PRNGKey, spec: Spec) -> Weights:
        """Fresh meta-parameters. `spec` is not used: they fit every size."""
        N, M = self.hidden_size, self.message_size
        fan_in = 2 * (M + 1) + 2 + N
        keys = jax.random.split(key, 6)
        return Weights(
            below=init_weight(keys[0], M + 1, 4 * N, fan_in),
            above=init_weight(keys[1], M + 1, 4 * N, fan_in),
            shared=init_weight(keys[2], 2, 4 * N, fan_in),
            recurrent=init_weight(keys[3], N, 4 * N, fan_in),
            bias=init_gate_bias(N),
            forward=init_linear(keys[4], N, M),
            backward=init_linear(keys[5], N, M),
        )

    def init_state(self, params: Weights, key: PRNGKey, spec: Spec) -> SymLAState:
        """Messages of zeros, and LSTM states that are zero or i.i.d. normal with `initial_std`.

        Raises SizeError if actions are continuous and messages have less than two numbers.
        """
        if isinstance(spec.action, Continuous) and self.message_size < 2:
            raise SizeError(
                "continuous actions need a message_size of at least 2, for mean and deviation; "
                f"this rule has {self.message_size}"
            )
        sizes = (spec.observation_size, *self.widths, spec.action_size)
        keys = jax.random.split(key, len(sizes) - 1)
        layers = (self._init_layer(k, A, B) for k, (A, B) in zip(keys, pairwise(sizes)))
        return SymLAState(tuple(layers), spec.action)

    def _init_layer(self, key: PRNGKey, A: int, B: int) -> Layer:
        shape = (2, A, B, self.hidden_size)
        hidden, cell = (
            self.initial_std * jax.random.normal(key, shape)
            if self.initial_std
            else jnp.zeros(shape)
        )
        return Layer(
            hidden, cell, jnp.zeros((B, self.message_size)), jnp.zeros((A, self.message_size))
        )

    def step(
        self, params: Weights, state: SymLAState, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, SymLAState]:
        """Learn from the percept, then sample an action."""
        policy, state = self.update(params, state, percept)
        return policy.sample(key), state

    def differentiable(self) -> "SymLA":
        """With the fused kernel where its gradient can be compiled, too; else in plain JAX."""
        return self if has_fused_gradient(self.backend) else replace(self, backend="plain")

    def update(
        self, params: Weights, state: SymLAState, percept: Percept
    ) -> tuple[Distribution, SymLAState]:
        """All layers from the first to the last, Eqs. 6 to 9. Returns the policy and the new state.

        The forward messages of the last layer are the policy: their component 0 are the logits of
        discrete actions; components 0 and 1 are mean and log deviation of continuous ones.

        The inputs of a layer are the new forward messages of the layer below and the previous
        backward messages of the layer above. The first layer has no layer below: its inputs are its
        own previous backward messages and the observation. The last layer has none above: its
        inputs are its own previous forward messages and the previous action. With K = 1 one layer
        is both, which is the paper's recurrent form.
        """
        shared = jnp.stack([percept.reward, percept.done])
        last = len(state.layers) - 1
        layers: list[Layer] = []
        for k, layer in enumerate(state.layers):
            A, B, _ = layer.hidden.shape
            message_below = (
                checkpoint_name(layers[k - 1].forward, KEPT) if k > 0 else layer.backward
            )
            message_above = state.layers[k + 1].backward if k < last else layer.forward
            external_below = percept.observation if k == 0 else jnp.zeros(A)
            external_above = percept.action if k == last else jnp.zeros(B)
            layers.append(
                update_layer(
                    params,
                    layer,
                    jnp.concatenate([message_below, external_below[:, None]], axis=1),
                    jnp.concatenate([message_above, external_above[:, None]], axis=1),
                    shared,
                    self.micro_ticks,
                    self.aggregation,
                    self.backend,
                )
            )
        policy = distribution_of(state.action, layers[-1].forward)
        return policy, SymLAState(tuple(layers), state.action)
