"""The learned objective of MetaGenRL: a network whose weights are the meta-parameters."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.metagenrl.objective import Seen, standardised
from symla.core.errors import SizeError, require
from symla.core.networks import (
    LSTM,
    Dense,
    LayerNorm,
    Linear,
    Perceptron,
    dot,
    init_linear,
    init_lstm,
    layer_norm,
    linear,
    lstm_gates,
)
from symla.core.types import Continuous, Params, PRNGKey, Spec

Carry = tuple[Array, Array]  # hidden, cell


class ObjectiveParams(NamedTuple):
    """The meta-parameters."""

    actions: Perceptron  # of each dimension of an action by itself
    others: Perceptron  # of all other inputs
    core: LSTM
    output: Perceptron


@dataclass(frozen=True)
class LearnedObjective:
    """l_t of the steps of a chunk, from the last one back to the first.

        x_t = [mean over dimensions of f(a_t, pi(s_t)),  g(r_t, t / T, V(s_{t+1}), V(s_t))]
        l_t = limit tanh(h(LSTM(x_T, ..., x_t)) / limit)

    f, g and h are perceptrons of which half the units of a layer are rectified, half squared. As f
    is the same for each dimension of an action, one objective fits any number of them, in any
    order. r and V have mean 0 and deviation 1 in the batch. Each input can be left out. Raises
    SettingError outside ranges.
    """

    units: int = 32
    limit: float = 1000.0  # eta
    time: bool = True
    value: bool = True  # V(s_t)
    next_value: bool = True  # V(s_{t+1})
    reward: Literal["reward", "td-error"] = "reward"
    observation: bool = False  # as a further input: ties the objective to its size and order

    def __post_init__(self):
        require(
            self.units >= 4 and self.units % 4 == 0,
            f"units must be a multiple of 4, and at least 4, got {self.units}",
        )
        require(self.limit > 0, f"limit must be above 0, got {self.limit}")
        require(
            self.reward in ("reward", "td-error"),
            f"reward must be 'reward' or 'td-error', got {self.reward!r}",
        )

    def init_params(self, key: PRNGKey, spec: Spec) -> ObjectiveParams:
        keys, n = jax.random.split(key, 4), self.units
        return ObjectiveParams(
            _init_mixed(keys[0], (2, n, n, n), norms=3),
            _init_mixed(keys[1], (self._others(spec), n, n, n // 4), norms=0),
            init_lstm(keys[2], n + n // 4, n),
            _init_mixed(keys[3], (n, n, n, 1), norms=2),
        )

    def check(self, params: ObjectiveParams, spec: Spec) -> None:
        """Raises SizeError for meta-parameters of an objective with other units or inputs."""
        fresh = jax.eval_shape(lambda: self.init_params(jax.random.key(0), spec))
        wanted, given = (_shapes(x) for x in (fresh, params))
        if wanted != given:
            at = next((w, g) for w, g in zip([*wanted, ()], [*given, ()]) if w != g)
            raise SizeError(
                f"these meta-parameters are of another objective: an array of {at[1]} is where "
                f"{self} has {at[0]}; give it the units and inputs that it was trained with, and "
                "if it sees observations, an environment of that size"
            )

    def losses(
        self, params: ObjectiveParams, seen: Seen, action: Float[Array, "batch T B"]
    ) -> Float[Array, "batch T"]:
        pairs = jnp.stack([seen.steps.action, action], axis=-1)
        of_actions = jnp.mean(_mixed(params.actions, pairs, activate_last=True), axis=-2)
        others = _mixed(params.others, self._inputs(seen))
        hidden = _backwards(params.core, jnp.concatenate([of_actions, others], axis=-1), seen)
        outputs = _mixed(params.output, hidden)[..., 0]
        return self.limit * jnp.tanh(outputs / self.limit)

    def _others(self, spec: Spec) -> int:
        """How many inputs there are besides actions."""
        more = spec.observation_size if self.observation else 0
        return 1 + self.time + self.value + self.next_value + more

    def _inputs(self, seen: Seen) -> Float[Array, "batch T O"]:
        reward = seen.steps.reward if self.reward == "reward" else seen.td_error
        columns = [standardised(reward, seen.known)]
        if self.time:
            steps = seen.known.shape[1]
            place = jnp.arange(steps, dtype=reward.dtype) / steps
            columns.append(jnp.broadcast_to(place[None], seen.known.shape))
        if self.next_value:
            columns.append(standardised(seen.next_value, seen.known, seen.value))
        if self.value:
            columns.append(standardised(seen.value, seen.known))
        inputs = jnp.stack(columns, axis=-1)
        if self.observation:
            inputs = jnp.concatenate([inputs, seen.steps.observation], axis=-1)
        return inputs


@dataclass(frozen=True)
class RandomObjective(LearnedObjective):
    """A learned objective before it has learned anything: its weights follow from `seed`.

    It has no meta-parameters, and does not see observations, by whose size they would differ.
    Raises SettingError outside ranges.
    """

    seed: int = 0

    def __post_init__(self):
        super().__post_init__()
        require(not self.observation, "a random objective does not see observations")
        require(0 <= self.seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {self.seed}")

    def init_params(self, key: PRNGKey, spec: Spec) -> Any:
        return ()

    def check(self, params: Params, spec: Spec) -> None:
        """Nothing can be wrong."""

    def losses(
        self, params: Params, seen: Seen, action: Float[Array, "batch T B"]
    ) -> Float[Array, "batch T"]:
        sizes = Spec(seen.steps.observation.shape[-1], Continuous(action.shape[-1]))
        drawn = super().init_params(jax.random.key(self.seed), sizes)
        return super().losses(drawn, seen, action)


def _init_mixed(key: PRNGKey, sizes: tuple[int, ...], norms: int) -> Perceptron:
    """Layers of those sizes, the first `norms` of which have a layer norm."""
    keys = jax.random.split(key, len(sizes) - 1)
    return tuple(
        Dense(init_linear(k, i, o), LayerNorm(jnp.ones(o), jnp.zeros(o)) if n < norms else None)
        for n, (k, (i, o)) in enumerate(zip(keys, pairwise(sizes)))
    )


def _mixed(
    params: Perceptron, x: Float[Array, "*batch I"], *, activate_last: bool = False
) -> Float[Array, "*batch O"]:
    """Linear maps; after each but the last, or after each, the first half of the numbers rectified
    and the second half squared, and then the layer's norm if it has one."""
    for number, layer in enumerate(params):
        x = linear(layer.linear, x)
        if activate_last or number < len(params) - 1:
            rectified = jnp.broadcast_to(jnp.arange(x.shape[-1]) < x.shape[-1] // 2, x.shape)
            x = x * jnp.where(rectified, (x > 0).astype(x.dtype), x)
        x = layer_norm(layer.norm, x) if layer.norm else x
    return x


def _backwards(params: LSTM, x: Float[Array, "batch T I"], seen: Seen) -> Float[Array, "batch T N"]:
    """The LSTM's outputs, from the last known step of each chunk to the first; elsewhere 0."""
    gates = linear(Linear(params.input, params.bias), x)

    def step(carry: Carry, now: tuple[Array, Array]) -> tuple[Carry, Array]:
        hidden, cell = carry
        gate, known = now
        after = lstm_gates(gate + dot(hidden, params.recurrent), cell)
        # Before its last known step a chunk has nothing to remember: it stays at zero.
        hidden, cell = (jnp.where(known[:, None], x, 0.0) for x in after)
        return (hidden, cell), hidden

    zero = jnp.zeros((x.shape[0], params.recurrent.shape[0]), x.dtype)
    by_time = jnp.swapaxes(gates, 0, 1), seen.known.T
    _, hidden = jax.lax.scan(step, (zero, zero), by_time, reverse=True)
    return jnp.swapaxes(hidden, 0, 1)


def _shapes(params: object) -> list[tuple[int, ...]]:
    return [x.shape for x in jax.tree.leaves(params)]
