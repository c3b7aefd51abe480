"""Uniformly random actions, the lower baseline."""

from dataclasses import dataclass

from jaxtyping import Array

from symla.core.distributions import random_action
from symla.core.types import Action, ActionSpace, Percept, PRNGKey, Spec


@dataclass(frozen=True)
class Random:
    """Every action with equal probability, continuous ones uniformly in [-1, 1]. Never learns."""

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: tuple[()], key: PRNGKey, spec: Spec) -> ActionSpace:
        return spec.action

    def step(
        self, params: tuple[()], state: ActionSpace, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, ActionSpace]:
        return random_action(state, key), state
