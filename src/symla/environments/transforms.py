"""Environments made from environments: permuted, projected, or with another reward.

Room: environments. What is random is drawn once a lifetime, as part of the task. The environment
inside receives its keys unchanged, so that a lifetime in a transformed environment meets the same
tasks and episodes as one in the plain environment. Transforms compose: `Projected(Permuted(e))`.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.errors import require
from symla.core.networks import dot
from symla.core.types import Action, Observation, PRNGKey, Scalar, Spec, State, Task, Timestep
from symla.environments.base import Environment


class Transformed(NamedTuple):
    """The task of a transform: that of the environment inside, and what was drawn for it."""

    inner: Task
    own: Any


@dataclass(frozen=True)
class Permuted:
    """Observations and actions in another order, drawn once a lifetime."""

    environment: Environment

    @property
    def spec(self) -> Spec:
        return self.environment.spec

    def sample_task(self, key: PRNGKey) -> Transformed:
        observations, actions = jax.random.split(_own(key, 1))
        spec = self.spec
        own = (
            jax.random.permutation(observations, spec.observation_size),
            jax.random.permutation(actions, spec.action_size),
        )
        return Transformed(self.environment.sample_task(key), own)

    def reset(self, key: PRNGKey, task: Transformed) -> tuple[State, Observation]:
        state, observation = self.environment.reset(key, task.inner)
        return state, observation[task.own[0]]

    def step(self, key: PRNGKey, task: Transformed, state: State, action: Action) -> Timestep:
        order, actions = task.own
        timestep = self.environment.step(key, task.inner, state, actions[action])
        return timestep._replace(observation=timestep.observation[order])

    def regret(self, task: Transformed, action: Int[Array, "*L"]) -> Float[Array, "*L"]:
        return self.environment.regret(task.inner, task.own[1][action])


@dataclass(frozen=True)
class Projected:
    """Observations through a random linear map to `size` numbers, drawn once a lifetime.

    Entries are Glorot normal: standard deviation sqrt(2 / (A + size)). Raises SettingError for
    a size below 1.
    """

    environment: Environment
    size: int = 16

    def __post_init__(self):
        require(self.size >= 1, f"a projection needs at least 1 number, got {self.size}")

    @property
    def spec(self) -> Spec:
        inner = self.environment.spec
        return Spec(self.size, inner.action_size, inner.episode_length)

    def sample_task(self, key: PRNGKey) -> Transformed:
        A = self.environment.spec.observation_size
        deviation = math.sqrt(2.0 / (A + self.size))
        matrix = deviation * jax.random.normal(_own(key, 2), (A, self.size))
        return Transformed(self.environment.sample_task(key), matrix)

    def reset(self, key: PRNGKey, task: Transformed) -> tuple[State, Observation]:
        state, observation = self.environment.reset(key, task.inner)
        return state, dot(observation, task.own)

    def step(self, key: PRNGKey, task: Transformed, state: State, action: Action) -> Timestep:
        timestep = self.environment.step(key, task.inner, state, action)
        return timestep._replace(observation=dot(timestep.observation, task.own))

    def regret(self, task: Transformed, action: Int[Array, "*L"]) -> Float[Array, "*L"]:
        return self.environment.regret(task.inner, action)


@dataclass(frozen=True)
class MoreActions:
    """`size` actions instead of B: action a does what a modulo B did.

    A learner bound to one number of actions can so meet an environment that has fewer. Raises
    SettingError for fewer actions than there are.
    """

    environment: Environment
    size: int = 4

    def __post_init__(self):
        least = self.environment.spec.action_size
        require(self.size >= least, f"there are already {least} actions, got size {self.size}")

    @property
    def spec(self) -> Spec:
        inner = self.environment.spec
        return Spec(inner.observation_size, self.size, inner.episode_length)

    def sample_task(self, key: PRNGKey) -> Task:
        return self.environment.sample_task(key)

    def reset(self, key: PRNGKey, task: Task) -> tuple[State, Observation]:
        return self.environment.reset(key, task)

    def step(self, key: PRNGKey, task: Task, state: State, action: Action) -> Timestep:
        inner = action % self.environment.spec.action_size
        return self.environment.step(key, task, state, inner)


class Change(NamedTuple):
    """What a lifetime's rewards go through."""

    factor: Scalar
    shift: Scalar
    delay: Int[Array, ""]


class Owed(NamedTuple):
    """The state inside, and rewards earned but not yet paid, the next one first."""

    inner: State
    rewards: Float[Array, " D"]


@dataclass(frozen=True)
class Rewards:
    """Rewards swapped, rescaled, shifted, delayed; each drawn once a lifetime.

    `swap` is the probability that good and bad change places (1: always). The scale is log-uniform
    and the shift uniform between two ends; the delay is 0 to `delay` steps. What is still owed when
    an episode ends is paid then. Raises SettingError outside ranges.
    """

    environment: Environment
    swap: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)
    delay: int = 0

    def __post_init__(self):
        low, high = self.scale
        require(0.0 <= self.swap <= 1.0, f"swap is a probability, 0 to 1, got {self.swap}")
        require(0.0 < low <= high, f"scale must be two numbers above 0, in order: {self.scale}")
        require(self.shift[0] <= self.shift[1], f"shift must be two numbers in order: {self.shift}")
        require(self.delay >= 0, f"delay must be at least 0 steps, got {self.delay}")

    @property
    def spec(self) -> Spec:
        return self.environment.spec

    def sample_task(self, key: PRNGKey) -> Transformed:
        swap, scale, shift, delay = jax.random.split(_own(key, 3), 4)
        low, high = (math.log(end) for end in self.scale)
        size = jnp.exp(jax.random.uniform(scale, (), minval=low, maxval=high))
        change = Change(
            factor=jnp.where(jax.random.uniform(swap) < self.swap, -size, size),
            shift=jax.random.uniform(shift, (), minval=self.shift[0], maxval=self.shift[1]),
            delay=jax.random.randint(delay, (), 0, self.delay + 1),
        )
        return Transformed(self.environment.sample_task(key), change)

    def reset(self, key: PRNGKey, task: Transformed) -> tuple[Owed, Observation]:
        state, observation = self.environment.reset(key, task.inner)
        return Owed(state, jnp.zeros(self.delay + 1)), observation

    def step(self, key: PRNGKey, task: Transformed, state: Owed, action: Action) -> Timestep:
        timestep = self.environment.step(key, task.inner, state.inner, action)
        earned = task.own.factor * timestep.reward + task.own.shift
        owed = state.rewards + jnp.where(jnp.arange(self.delay + 1) == task.own.delay, earned, 0.0)
        ended = timestep.terminated | timestep.truncated
        paid = jnp.where(ended, jnp.sum(owed), owed[0])
        later = jnp.append(owed[1:], 0.0)
        return timestep._replace(state=Owed(timestep.state, later), reward=paid)


def _own(key: PRNGKey, transform: int) -> PRNGKey:
    """A key for the transform, away from what the environment inside draws from the same key."""
    return jax.random.fold_in(key, 0x7EA50000 + transform)
