"""An environment in which everything can be computed by hand: it has one state."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from symla.core.types import Continuous, Discrete, Spec, Timestep


@dataclass(frozen=True)
class OneState:
    """Each step earns 1 and ends the episode: as the task says in a final state, or by a limit.

    The value of its state is 1 where episodes terminate, 1 / (1 - discount) where they are
    truncated. With `gain` an action earns so many times its first component in addition.
    """

    continuous: bool = True
    gain: float = 0.0

    @property
    def spec(self):
        return Spec(1, Continuous(1) if self.continuous else Discrete(2), 1)

    def sample_task(self, key):
        return jax.random.bernoulli(key)  # whether episodes terminate

    def reset(self, key, task):
        return (), jnp.ones(1)

    def step(self, key, task, state, action):
        better = action[0] if self.continuous else action.astype(jnp.float32)
        reward = 1.0 + self.gain * better
        return Timestep((), jnp.ones(1), reward, task, ~task)
