"""Tiny environments with known answers, and a wrapper that changes the order of everything."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from symla.core.types import Spec, Timestep


class Clock(NamedTuple):
    step: jax.Array  # of the episode
    observation: jax.Array


@dataclass(frozen=True)
class Contextual:
    """A random observation each step; reward = tanh(observation . W[:, action]), W the task.

    Episodes end by truncation after `episode_length` steps, if given.
    """

    observations: int = 3
    actions: int = 2
    episode_length: int | None = None

    @property
    def spec(self):
        return Spec(self.observations, self.actions, self.episode_length)

    def sample_task(self, key):
        return jax.random.normal(key, (self.observations, self.actions))

    def reset(self, key, task):
        observation = jax.random.normal(key, (self.observations,))
        return Clock(jnp.zeros((), jnp.int32), observation), observation

    def step(self, key, task, state, action):
        reward = jnp.tanh(jnp.dot(state.observation, task[:, action]))
        observation = jax.random.normal(key, (self.observations,))
        step = state.step + 1
        ends = jnp.zeros((), bool) if self.episode_length is None else step >= self.episode_length
        state = Clock(step, observation)
        return Timestep(state, observation, reward, jnp.zeros((), bool), ends)


@dataclass(frozen=True)
class Corridor:
    """Walk right to the end of `cells` cells: reward 1 and the episode terminates. Left: step 0."""

    cells: int = 3

    @property
    def spec(self):
        return Spec(observation_size=self.cells, action_size=2, episode_length=1000)

    def sample_task(self, key):
        return ()

    def _see(self, cell):
        return (jnp.arange(self.cells) == cell).astype(jnp.float32)

    def reset(self, key, task):
        cell = jnp.zeros((), jnp.int32)
        return cell, self._see(cell)

    def step(self, key, task, state, action):
        cell = jnp.maximum(state + 2 * action - 1, 0)
        arrived = cell >= self.cells - 1
        reward = arrived.astype(jnp.float32)
        return Timestep(cell, self._see(cell), reward, arrived, jnp.zeros((), bool))


@dataclass(frozen=True)
class Permuted:
    """`environment` with its observations and actions in another order."""

    environment: Any
    observations: tuple[int, ...]  # slot i shows the environment's observation observations[i]
    actions: tuple[int, ...]  # slot j does the environment's action actions[j]

    @property
    def spec(self):
        return self.environment.spec

    def sample_task(self, key):
        return self.environment.sample_task(key)

    def reset(self, key, task):
        state, observation = self.environment.reset(key, task)
        return state, observation[jnp.array(self.observations)]

    def step(self, key, task, state, action):
        timestep = self.environment.step(key, task, state, jnp.array(self.actions)[action])
        return timestep._replace(observation=timestep.observation[jnp.array(self.observations)])


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
