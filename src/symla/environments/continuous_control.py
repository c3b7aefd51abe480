"""Small worlds with continuous actions whose task is drawn once a lifetime, and never shown."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.errors import require
from symla.core.linear_algebra import orthogonal
from symla.core.networks import dot
from symla.core.types import Action, Continuous, Observation, PRNGKey, Spec, Timestep
from symla.environments.regulator import cost_to_go, regulate

NEVER = False  # episodes end by their length alone


class PointState(NamedTuple):
    """Position, and the number of steps taken in the episode."""

    position: Float[Array, " size"]
    step: Int[Array, ""]


@dataclass(frozen=True)
class PointNavigation:
    """A point moves to a goal that it does not see (2D navigation of Finn et al. 2017).

    Each episode starts at the origin. An action moves the point by at most 0.1 in each direction;
    the reward is minus its distance to the goal, which is drawn once a lifetime, uniformly from
    [-0.5, 0.5]^size. The observation is the position. With a `limit`, it stays within +-limit in
    each direction: so an agent that goes astray is never far. With a `radius`, an episode ends
    where the goal is no farther than that: 0.01 as Finn et al. have it. Raises SettingError outside
    ranges.
    """

    size: int = 2
    episode_length: int = 100
    limit: float = 0.0  # 0: none
    radius: float = 0.0  # 0: episodes go on

    def __post_init__(self):
        require(self.size >= 1, f"size must be at least 1, got {self.size}")
        require(self.episode_length >= 1, f"episode_length must be at least 1: {self}")
        require(
            0 <= self.limit < math.inf,
            f"limit must be a number of at least 0, got {self.limit}",
        )
        require(
            0 <= self.radius < math.inf,
            f"radius must be a number of at least 0, got {self.radius}",
        )

    @property
    def spec(self) -> Spec:
        return Spec(self.size, Continuous(self.size), self.episode_length)

    def sample_task(self, key: PRNGKey) -> Float[Array, " size"]:
        return jax.random.uniform(key, (self.size,), minval=-0.5, maxval=0.5)

    def reset(self, key: PRNGKey, task: Float[Array, " size"]) -> tuple[PointState, Observation]:
        origin = jnp.zeros(self.size)
        return PointState(origin, jnp.zeros((), jnp.int32)), origin

    def step(
        self, key: PRNGKey, task: Float[Array, " size"], state: PointState, action: Action
    ) -> Timestep:
        position, step = state.position + 0.1 * action, state.step + 1
        if self.limit:
            position = jnp.clip(position, -self.limit, self.limit)
        distance = jnp.sqrt(jnp.sum((position - task) ** 2) + 1e-12)
        there = distance <= self.radius
        return Timestep(
            PointState(position, step),
            position,
            -distance,
            terminated=there,
            truncated=(step >= self.episode_length) & ~there,
        )

    def advice(self, task: Float[Array, " size"], state: PointState) -> Action:
        """As far towards the goal as a step goes."""
        return jnp.clip((task - state.position) / 0.1, -1.0, 1.0)


class Dynamics(NamedTuple):
    """x' = clip(transition x + control u)."""

    transition: Float[Array, "states states"]
    control: Float[Array, "actions states"]
    cost: Float[Array, "states states"]  # to go, of the linear-quadratic regulator


class LinearState(NamedTuple):
    """The state of the system, and the number of steps taken in the episode."""

    x: Float[Array, " states"]
    step: Int[Array, ""]


LIMIT = 3.0  # of each number of a state that could run away


@dataclass(frozen=True)
class LinearSystem:
    """A random linear system, to be held near zero: the reward is -(mean x^2 + 0.1 mean u^2) / 2.

    The transition is 1.05 times a random orthogonal matrix, so that x grows by 5% a step if nothing
    is done; the control is normal, of variance 1 / `actions`, times 0.5. Both are drawn once a
    lifetime. Episodes start from normal x; x stays within [-3, 3] and is the observation. Raises
    SettingError outside ranges.
    """

    states: int = 2
    actions: int = 1
    episode_length: int = 20

    def __post_init__(self):
        for name in ("states", "actions", "episode_length"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")

    @property
    def spec(self) -> Spec:
        return Spec(self.states, Continuous(self.actions), self.episode_length)

    def sample_task(self, key: PRNGKey) -> Dynamics:
        transition_key, control_key = jax.random.split(key)
        turn = orthogonal(jax.random.normal(transition_key, (self.states, self.states)))
        scale = 0.5 / jnp.sqrt(float(self.actions))
        control = scale * jax.random.normal(control_key, (self.actions, self.states))
        weight = jnp.full(self.states, 1.0 / self.states)
        return Dynamics(
            1.05 * turn, control, cost_to_go(1.05 * turn, control, weight, self._effort)
        )

    @property
    def _effort(self) -> float:
        """What a unit of each control costs, twice the reward as everything."""
        return 0.1 / self.actions

    def reset(self, key: PRNGKey, task: Dynamics) -> tuple[LinearState, Observation]:
        x = jnp.clip(jax.random.normal(key, (self.states,)), -LIMIT, LIMIT)
        return LinearState(x, jnp.zeros((), jnp.int32)), x

    def step(self, key: PRNGKey, task: Dynamics, state: LinearState, action: Action) -> Timestep:
        moved = dot(state.x, task.transition) + dot(action, task.control)
        x, step = jnp.clip(moved, -LIMIT, LIMIT), state.step + 1
        reward = -(jnp.mean(x**2) + 0.1 * jnp.mean(action**2)) / 2.0
        return Timestep(
            LinearState(x, step),
            x,
            reward,
            terminated=jnp.asarray(NEVER),
            truncated=step >= self.episode_length,
        )

    def advice(self, task: Dynamics, state: LinearState) -> Action:
        """The regulator's control, within bounds: optimal where neither x nor it meets a bound."""
        control = regulate(*task, self._effort, state.x)
        return jnp.clip(control, -1.0, 1.0)
