"""A learning algorithm that does not perceive, or does not remember, as another one would."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from symla.algorithms.base import LearningAlgorithm
from symla.core.types import Action, Params, Percept, PRNGKey, Spec, State
from symla.environments import Environment
from symla.lifetimes.lifetime import Life, born, live_on

PARTS = ("observation", "reward", "previous action", "memory")
NOTHING = -1  # in the place of a part's number: nothing is replaced
_OTHER = 2**31  # folded into the key of the learner, which nothing else folds into it


class AblatedParams(NamedTuple):
    """The meta-parameters, and what is replaced: numbers, so that one program serves all cases."""

    params: Params
    part: Int[Array, ""]  # the number of one of PARTS, or NOTHING
    by_other: Bool[Array, ""]  # by what another lifetime has there; else by zeros


class AblatedState(NamedTuple):
    """The learner's own state, the one it began with, and another lifetime of the same age."""

    own: State
    first: State
    other: Life


@dataclass(frozen=True)
class Ablated:
    """`algorithm` with a part of what it perceives replaced, in every step of its lifetime.

    By zeros; or by the same part of another lifetime, which an intact learner lives meanwhile in
    the same environment, with a task of its own: values as they usually are, which tell nothing
    about this lifetime. "memory" is the state: zeros are the state it began with.
    """

    algorithm: LearningAlgorithm
    environment: Environment

    def init_params(self, key: PRNGKey, spec: Spec) -> AblatedParams:
        """With nothing replaced."""
        return self.replacing(self.algorithm.init_params(key, spec))

    @staticmethod
    def replacing(params: Params, part: str | None = None, by_other: bool = False) -> AblatedParams:
        """Of PARTS the one that is replaced; None: none."""
        number = NOTHING if part is None else PARTS.index(part)
        return AblatedParams(params, jnp.asarray(number, jnp.int32), jnp.asarray(by_other))

    def init_state(self, params: AblatedParams, key: PRNGKey, spec: Spec) -> AblatedState:
        own = self.algorithm.init_state(params.params, key, spec)
        other_key = jax.random.fold_in(key, _OTHER)
        return AblatedState(
            own, own, born(self.algorithm, self.environment, params.params, other_key)
        )

    def step(
        self, params: AblatedParams, state: AblatedState, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, AblatedState]:
        other, seen = state.other, state.other.percept

        def replaced(part: str, own: Any, zeros: Any, others: Any) -> Any:
            here = params.part == PARTS.index(part)
            return jax.tree.map(
                lambda x, zero, y: jnp.where(here, jnp.where(params.by_other, y, zero), x),
                own, zeros, others,
            )  # fmt: skip

        def replaced_number(part: str, own: Array, others: Array) -> Array:
            return replaced(part, own, jnp.zeros_like(own), others)

        perceived = percept._replace(
            observation=replaced_number("observation", percept.observation, seen.observation),
            final_observation=replaced_number(
                "observation", percept.final_observation, seen.final_observation
            ),
            reward=replaced_number("reward", percept.reward, seen.reward),
            action=replaced_number("previous action", percept.action, seen.action),
        )
        memory = replaced("memory", state.own, state.first, other.learner)
        action, own = self.algorithm.step(params.params, memory, perceived, t, key)
        arguments = self.algorithm, self.environment, params.params, other, 1
        other, _, _ = live_on(*arguments, clock=t, record=None)
        return action, AblatedState(own, state.first, other)
