"""Small environments whose rewards can be computed by hand, and a constant learning algorithm."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from symla.core.types import Discrete, Spec, Timestep


class ContextualState(NamedTuple):
    """The number of steps taken in the episode, and what is observed."""

    step: jax.Array
    observation: jax.Array


@dataclass(frozen=True)
class Contextual:
    """A random observation each step; reward = tanh(observation . W[:, action]), W the task.

    Episodes are truncated after `episode_length` steps; None: there are none.
    """

    observations: int = 3
    actions: int = 2
    episode_length: int | None = None

    @property
    def spec(self):
        return Spec(self.observations, Discrete(self.actions), self.episode_length)

    def sample_task(self, key):
        return jax.random.normal(key, (self.observations, self.actions))

    def reset(self, key, task):
        observation = jax.random.normal(key, (self.observations,))
        return ContextualState(jnp.zeros((), jnp.int32), observation), observation

    def step(self, key, task, state, action):
        reward = jnp.tanh(jnp.dot(state.observation, task[:, action]))
        observation = jax.random.normal(key, (self.observations,))
        step = state.step + 1
        never = jnp.zeros((), bool)
        truncated = never if self.episode_length is None else step >= self.episode_length
        return Timestep(ContextualState(step, observation), observation, reward, never, truncated)


@dataclass(frozen=True)
class Corridor:
    """`cells` cells in a row, from the leftmost; the rightmost pays 1 and terminates the episode.

    Action 0 moves left, 1 right. The observation is the cell, one-hot.
    """

    cells: int = 3

    @property
    def spec(self):
        return Spec(self.cells, Discrete(2), 1000, one_hot=True)

    def sample_task(self, key):
        return ()

    def _observe(self, cell):
        return (jnp.arange(self.cells) == cell).astype(jnp.float32)

    def reset(self, key, task):
        cell = jnp.zeros((), jnp.int32)
        return cell, self._observe(cell)

    def step(self, key, task, state, action):
        cell = jnp.maximum(state + 2 * action - 1, 0)
        terminated = cell >= self.cells - 1
        reward = terminated.astype(jnp.float32)
        return Timestep(cell, self._observe(cell), reward, terminated, jnp.zeros((), bool))

    def advice(self, task, state):
        return jnp.ones((), jnp.int32)


@dataclass(frozen=True)
class Always:
    """A learning algorithm that always takes one action."""

    action: int

    def init_params(self, key, spec):
        return ()

    def init_state(self, params, key, spec):
        return ()

    def step(self, params, state, percept, t, key):
        return jnp.asarray(self.action, jnp.int32), state


class Start(NamedTuple):
    """A number drawn where the episode began, and the step of the episode."""

    number: jax.Array
    step: jax.Array


@dataclass(frozen=True)
class RandomStart:
    """Each episode has a random number, which is observed. Action 1 ends it, and earns it."""

    episode_length: int = 5

    @property
    def spec(self):
        return Spec(1, Discrete(2), self.episode_length)

    def sample_task(self, key):
        return ()

    def reset(self, key, task):
        number = jax.random.normal(key)
        return Start(number, jnp.zeros((), jnp.int32)), number[None]

    def step(self, key, task, state, action):
        after = Start(state.number, state.step + 1)
        reward = jnp.where(action == 1, state.number, 0.0)
        truncated = after.step >= self.episode_length
        return Timestep(after, state.number[None], reward, action == 1, truncated)
