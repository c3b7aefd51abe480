"""Uniformly random actions, the lower baseline."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array

from symla.core.types import Action, Percept, PRNGKey, Spec


@dataclass(frozen=True)
class Random:
    """Every action with equal probability. It does not learn."""

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: tuple[()], key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def step(
        self, params: tuple[()], state: tuple[()], percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, tuple[()]]:
        return jax.random.randint(key, (), 0, percept.action.size, dtype=jnp.int32), state
