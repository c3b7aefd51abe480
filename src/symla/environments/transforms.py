"""Environments made from environments: permuted, projected, or with another reward.

A transform draws what is random once a lifetime, as part of the task. The environment inside
receives its keys unchanged: a lifetime in a transformed environment has the same tasks and episodes
as one in the plain environment. Transforms compose: `Projected(Permuted(e))`.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.errors import require
from symla.core.networks import dot
from symla.core.types import (
    Action,
    Advice,
    Continuous,
    Discrete,
    Observation,
    PRNGKey,
    Scalar,
    Spec,
    State,
    Task,
    Timestep,
)
from symla.environments.base import (
    LARGEST_SPEC,
    Environment,
    KnowsAdvice,
    KnowsRegret,
    nested_environments,
)

TRANSFORM = 0x7EA50000  # what a key is folded with for a transform


class TransformedTask(NamedTuple):
    """The task of a transform: that of the environment inside, and the transform's parameters."""

    inner: Task
    transform: Any


class Orders(NamedTuple):
    """Slot i shows observation observations[i]; slot j takes action actions[j], or is that
    component of a continuous one."""

    observations: Int[Array, " A"]
    actions: Int[Array, " B"]


@dataclass(frozen=True)
class Permuted:
    """Observations and actions in another order, each drawn once a lifetime unless it is given.

    A given order is a permutation of 0 to size - 1: slot i shows the observation
    `observations[i]` of the environment inside, slot j takes its action `actions[j]`. Raises
    SettingError for an order that is not such a permutation.
    """

    environment: Environment
    observations: tuple[int, ...] | None = None
    actions: tuple[int, ...] | None = None

    def __post_init__(self):
        spec = self.environment.spec
        _require_permutation("observations", self.observations, spec.observation_size)
        _require_permutation("actions", self.actions, spec.action_size)

    @property
    def spec(self) -> Spec:
        return self.environment.spec

    def sample_task(self, key: PRNGKey) -> TransformedTask:
        observation_key, action_key = jax.random.split(_transform_key(key, self))
        orders = Orders(
            _order(observation_key, self.observations, self.spec.observation_size),
            _order(action_key, self.actions, self.spec.action_size),
        )
        return TransformedTask(self.environment.sample_task(key), orders)

    def reset(self, key: PRNGKey, task: TransformedTask) -> tuple[State, Observation]:
        state, observation = self.environment.reset(key, task.inner)
        return state, observation[task.transform.observations]

    def step(self, key: PRNGKey, task: TransformedTask, state: State, action: Action) -> Timestep:
        inner_action = self._inner_action(task, action)
        timestep = self.environment.step(key, task.inner, state, inner_action)
        return timestep._replace(observation=timestep.observation[task.transform.observations])

    def _inner_action(self, task: TransformedTask, action: Action) -> Action:
        order = task.transform.actions
        if isinstance(self.spec.action, Continuous):
            return jnp.zeros_like(action).at[order].set(action)
        return order[action]

    def regret(self, task: TransformedTask, action: Int[Array, "*L"]) -> Float[Array, "*L"]:
        """As of the environment inside, which must have one."""
        assert isinstance(self.environment, KnowsRegret)
        return self.environment.regret(task.inner, task.transform.actions[action])

    def advice(self, task: TransformedTask, state: State) -> Advice:
        """As of the environment inside, which must have one."""
        assert isinstance(self.environment, KnowsAdvice)
        advised, order = self.environment.advice(task.inner, state), task.transform.actions
        if advised.ndim:  # continuous, or which actions are optimal
            return advised[order]
        return jnp.argmax(order == advised).astype(jnp.int32)


@dataclass(frozen=True)
class Projected:
    """Observations through a random linear map [A, size], drawn once a lifetime.

    Entries are Glorot normal: standard deviation sqrt(2 / (A + size)). Raises SettingError for
    a size below 1.
    """

    environment: Environment
    size: int = 16

    def __post_init__(self):
        require(
            1 <= self.size <= LARGEST_SPEC,
            f"a projection needs a size of 1 to {LARGEST_SPEC:,}, got {self.size}",
        )

    @property
    def spec(self) -> Spec:
        inner = self.environment.spec
        return Spec(self.size, inner.action, inner.episode_length)

    def sample_task(self, key: PRNGKey) -> TransformedTask:
        A = self.environment.spec.observation_size
        deviation = math.sqrt(2.0 / (A + self.size))
        matrix = deviation * jax.random.normal(_transform_key(key, self), (A, self.size))
        return TransformedTask(self.environment.sample_task(key), matrix)

    def reset(self, key: PRNGKey, task: TransformedTask) -> tuple[State, Observation]:
        state, observation = self.environment.reset(key, task.inner)
        return state, dot(observation, task.transform)

    def step(self, key: PRNGKey, task: TransformedTask, state: State, action: Action) -> Timestep:
        timestep = self.environment.step(key, task.inner, state, action)
        return timestep._replace(observation=dot(timestep.observation, task.transform))

    def regret(self, task: TransformedTask, action: Int[Array, "*L"]) -> Float[Array, "*L"]:
        """As of the environment inside, which must have one."""
        assert isinstance(self.environment, KnowsRegret)
        return self.environment.regret(task.inner, action)

    def advice(self, task: TransformedTask, state: State) -> Advice:
        """As of the environment inside, which must have one."""
        assert isinstance(self.environment, KnowsAdvice)
        return self.environment.advice(task.inner, state)


@dataclass(frozen=True)
class MoreActions:
    """`size` actions instead of B: action a does what action a modulo B does inside.

    A learning algorithm with a fixed number of actions can so be tested where there are fewer.
    Raises SettingError for a size below B, and for continuous actions.
    """

    environment: Environment
    size: int = 4

    def __post_init__(self):
        actions = self.environment.spec.action
        require(
            isinstance(actions, Discrete),
            f"MoreActions repeats numbered actions, and {self.environment!r} has {actions}",
        )
        least = actions.size
        require(self.size >= least, f"there are already {least} actions, got size {self.size}")

    @property
    def spec(self) -> Spec:
        return replace(self.environment.spec, action=Discrete(self.size))

    def sample_task(self, key: PRNGKey) -> Task:
        return self.environment.sample_task(key)

    def reset(self, key: PRNGKey, task: Task) -> tuple[State, Observation]:
        return self.environment.reset(key, task)

    def step(self, key: PRNGKey, task: Task, state: State, action: Action) -> Timestep:
        inner_action = action % self.environment.spec.action_size
        return self.environment.step(key, task, state, inner_action)

    def advice(self, task: Task, state: State) -> Advice:
        """Of the actions that do the same all are as good: which are optimal [size]."""
        assert isinstance(self.environment, KnowsAdvice)
        actions = jnp.arange(self.size) % self.environment.spec.action_size
        advised = self.environment.advice(task, state)
        return advised[actions] if advised.ndim else actions == advised


class RewardChange(NamedTuple):
    """reward -> factor * reward + shift, paid `delay` steps later."""

    factor: Scalar
    shift: Scalar
    delay: Int[Array, ""]


class DelayedRewards(NamedTuple):
    """The state inside; pending[i] is paid i + 1 steps from now."""

    inner: State
    pending: Float[Array, " D"]  # D = delay + 1


@dataclass(frozen=True)
class Rewards:
    """Rewards negated, scaled, shifted and delayed, each as drawn once a lifetime.

    `swap` is the probability of negation. The factor is log-uniform between the two ends of
    `scale`, the shift uniform between those of `shift`; the delay is 0 to `delay` steps, uniformly.
    When an episode ends, all rewards still pending are paid at once. Raises SettingError outside
    ranges.
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

    def sample_task(self, key: PRNGKey) -> TransformedTask:
        swap, scale, shift, delay = jax.random.split(_transform_key(key, self), 4)
        low, high = (math.log(end) for end in self.scale)
        size = jnp.exp(jax.random.uniform(scale, (), minval=low, maxval=high))
        change = RewardChange(
            factor=jnp.where(jax.random.uniform(swap) < self.swap, -size, size),
            shift=jax.random.uniform(shift, (), minval=self.shift[0], maxval=self.shift[1]),
            delay=jax.random.randint(delay, (), 0, self.delay + 1),
        )
        return TransformedTask(self.environment.sample_task(key), change)

    def reset(self, key: PRNGKey, task: TransformedTask) -> tuple[DelayedRewards, Observation]:
        state, observation = self.environment.reset(key, task.inner)
        return DelayedRewards(state, jnp.zeros(self.delay + 1)), observation

    def step(
        self, key: PRNGKey, task: TransformedTask, state: DelayedRewards, action: Action
    ) -> Timestep:
        timestep = self.environment.step(key, task.inner, state.inner, action)
        change = task.transform
        reward = change.factor * timestep.reward + change.shift
        due = jnp.where(jnp.arange(self.delay + 1) == change.delay, reward, 0.0)
        pending = state.pending + due
        ended = timestep.terminated | timestep.truncated
        paid = jnp.where(ended, jnp.sum(pending), pending[0])
        later = jnp.append(pending[1:], 0.0)
        return timestep._replace(state=DelayedRewards(timestep.state, later), reward=paid)

    def advice(self, task: TransformedTask, state: DelayedRewards) -> Advice:
        """As of the environment inside, which must have one: a positive factor and a delay leave
        the best actions as they are, and so does a shift where all episodes are of one length.

        Raises SettingError where rewards may be swapped: what is best then, nobody says.
        """
        require(self.swap == 0, f"{self!r} has no optimal actions where rewards are swapped")
        assert isinstance(self.environment, KnowsAdvice)
        return self.environment.advice(task.inner, state.inner)


def _transform_key(key: PRNGKey, transform: Environment) -> PRNGKey:
    """What a transform draws from: independent of the environments inside and around it.

    The environment inside splits the same key or draws from it, which in threefry is to fold in
    0, 1, 2, ...: TRANSFORM is far beyond any count of keys or numbers that it could ask for.
    """
    depth = sum(1 for _ in nested_environments(transform)) - 1  # number of environments inside
    return jax.random.fold_in(jax.random.fold_in(key, TRANSFORM), depth)


def _order(key: PRNGKey, fixed: tuple[int, ...] | None, size: int) -> Int[Array, " size"]:
    """The fixed order, or one drawn uniformly."""
    return jax.random.permutation(key, size) if fixed is None else jnp.asarray(fixed, jnp.int32)


def _require_permutation(name: str, order: tuple[int, ...] | None, size: int) -> None:
    """Raises SettingError unless `order` is None or a permutation of 0 to size - 1."""
    require(
        order is None or (isinstance(order, tuple) and sorted(order) == list(range(size))),
        f"{name} must be a tuple with each of 0 to {size - 1} once, got {order}",
    )
