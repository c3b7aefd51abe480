"""Any learning algorithm with help at test time: normalised rewards, binned observations."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.base import LearningAlgorithm
from symla.core.errors import require
from symla.core.types import Action, Params, Percept, PRNGKey, Spec, State

RANGE = 2.0  # standard deviations from the mean at which the outermost bins begin


class HelpedState(NamedTuple):
    """The algorithm's state, and what is known of rewards and observations so far."""

    inner: State
    largest: Float[Array, ""]  # absolute reward
    steps: Float[Array, ""]  # seen so far
    mean: Float[Array, " A"]
    square: Float[Array, " A"]  # sum of squared distances from the mean


@dataclass(frozen=True)
class Helped:
    """`algorithm` sees each reward divided by the largest absolute one so far, if
    `normalise_rewards`; and each number of an observation as one of so many `bins`, an input for
    each bin: equal steps between RANGE standard deviations below and above its mean so far. With 0
    bins, and where observations are one-hot, it sees them as they are.

    It only knows what was perceived until then: an algorithm of the same kind. Raises SettingError
    for one bin.
    """

    algorithm: LearningAlgorithm
    normalise_rewards: bool = False
    bins: int = 0

    def __post_init__(self):
        require(self.bins == 0 or self.bins >= 2, f"bins must be 0 or at least 2, got {self.bins}")

    def _seen_spec(self, spec: Spec) -> Spec:
        if not self._bins(spec.one_hot):
            return spec
        size = self.bins * spec.observation_size
        return replace(spec, observation_size=size, one_hot=spec.observation_size == 1)

    def _bins(self, one_hot: bool) -> bool:
        return self.bins > 0 and not one_hot

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return self.algorithm.init_params(key, self._seen_spec(spec))

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> HelpedState:
        inner = self.algorithm.init_state(params, key, self._seen_spec(spec))
        # Where nothing is binned there are no statistics: their size says which.
        size = spec.observation_size if self._bins(spec.one_hot) else 0
        return HelpedState(inner, jnp.zeros(()), jnp.zeros(()), jnp.zeros(size), jnp.zeros(size))

    def step(
        self, params: Params, state: HelpedState, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, HelpedState]:
        if self.normalise_rewards:
            largest = jnp.maximum(state.largest, jnp.abs(percept.reward))
            state = state._replace(largest=largest)
            percept = percept._replace(reward=percept.reward / jnp.maximum(largest, 1e-8))
        if state.mean.size:
            # Welford's recursion.
            count = state.steps + 1.0
            error = percept.observation - state.mean
            mean = state.mean + error / count
            square = state.square + error * (percept.observation - mean)
            state = state._replace(steps=count, mean=mean, square=square)
            percept = percept._replace(
                observation=self._binned(state, percept.observation),
                final_observation=self._binned(state, percept.final_observation),
            )
        action, inner = self.algorithm.step(params, state.inner, percept, t, key)
        return action, state._replace(inner=inner)

    def _binned(self, state: HelpedState, observation: Float[Array, " A"]) -> Float[Array, " I"]:
        deviation = jnp.sqrt(state.square / jnp.maximum(state.steps, 1.0))
        standard = (observation - state.mean) / jnp.maximum(deviation, 1e-6)
        place = (standard + RANGE) / (2.0 * RANGE) * float(self.bins)
        number = jnp.clip(jnp.floor(place), 0, self.bins - 1)
        known = jnp.where(jnp.isfinite(observation), 1.0, jnp.nan)
        shown = jax.nn.one_hot(jnp.nan_to_num(number).astype(jnp.int32), self.bins)
        return jnp.ravel(shown * known[:, None])
