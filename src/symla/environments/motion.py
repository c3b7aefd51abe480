"""Masses, arms and vehicles: small worlds with continuous actions and velocities or headings, whose
task is drawn once a lifetime, and never shown."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.errors import require
from symla.core.types import Action, Continuous, Observation, PRNGKey, Scalar, Spec, Timestep
from symla.environments.continuous_control import LIMIT, NEVER


class Motion(NamedTuple):
    """Positions and velocities, and the number of steps taken in the episode."""

    position: Float[Array, " size"]
    velocity: Float[Array, " size"]
    step: Int[Array, ""]


@dataclass(frozen=True)
class DoubleIntegrator:
    """A mass is pushed and is to rest at the origin: reward -(mean x^2 + 0.1 mean v^2).

    v' = 0.95 v + 0.2 gain u, x' = x + 0.2 v'. The gain of each dimension is uniform in size between
    0.5 and 1.5, has either sign, and is drawn once a lifetime. Episodes start from x uniform in
    [-2, 2] at rest; x and v stay within [-3, 3] and are the observation. Raises SettingError
    outside ranges.
    """

    size: int = 1
    episode_length: int = 50

    def __post_init__(self):
        _check(self, "size", "episode_length")

    @property
    def spec(self) -> Spec:
        return Spec(2 * self.size, Continuous(self.size), self.episode_length)

    def sample_task(self, key: PRNGKey) -> Float[Array, " size"]:
        size_key, sign_key = jax.random.split(key)
        size = jax.random.uniform(size_key, (self.size,), minval=0.5, maxval=1.5)
        return size * jax.random.rademacher(sign_key, (self.size,), jnp.float32)

    def reset(self, key: PRNGKey, task: Float[Array, " size"]) -> tuple[Motion, Observation]:
        position = jax.random.uniform(key, (self.size,), minval=-2.0, maxval=2.0)
        state = Motion(position, jnp.zeros(self.size), jnp.zeros((), jnp.int32))
        return state, jnp.concatenate([state.position, state.velocity])

    def step(
        self, key: PRNGKey, task: Float[Array, " size"], state: Motion, action: Action
    ) -> Timestep:
        velocity = jnp.clip(0.95 * state.velocity + 0.2 * task * action, -LIMIT, LIMIT)
        position = jnp.clip(state.position + 0.2 * velocity, -LIMIT, LIMIT)
        reward = -(jnp.mean(position**2) + 0.1 * jnp.mean(velocity**2))
        observation = jnp.concatenate([position, velocity])
        return _timestep(self, Motion(position, velocity, state.step + 1), observation, reward)


class ArmTask(NamedTuple):
    """What an arm is built like, and what it has to reach."""

    lengths: Float[Array, "2"]
    target: Float[Array, "2"]


@dataclass(frozen=True)
class Arm:
    """The hand of an arm with two joints is to be at a target that it does not see.

    Actions push the joints: w' = 0.8 w + 0.1 u for each, angle' = angle + w'. The reward is minus
    the distance of the hand to the target. Lengths of the links, uniform in [0.4, 0.6], and the
    target, anywhere within reach, are drawn once a lifetime. Episodes start stretched out along the
    first axis and at rest. The observation is cosine and sine of both angles, and both w. Raises
    SettingError outside ranges.
    """

    episode_length: int = 50

    def __post_init__(self):
        _check(self, "episode_length")

    @property
    def spec(self) -> Spec:
        return Spec(6, Continuous(2), self.episode_length)

    def sample_task(self, key: PRNGKey) -> ArmTask:
        length_key, angle_key, far_key = jax.random.split(key, 3)
        lengths = jax.random.uniform(length_key, (2,), minval=0.4, maxval=0.6)
        angle = jax.random.uniform(angle_key, minval=-jnp.pi, maxval=jnp.pi)
        far = jax.random.uniform(far_key, minval=0.3, maxval=0.95) * jnp.sum(lengths)
        return ArmTask(lengths, far * jnp.stack([jnp.cos(angle), jnp.sin(angle)]))

    def reset(self, key: PRNGKey, task: ArmTask) -> tuple[Motion, Observation]:
        state = Motion(jnp.zeros(2), jnp.zeros(2), jnp.zeros((), jnp.int32))
        return state, self._observation(state)

    def step(self, key: PRNGKey, task: ArmTask, state: Motion, action: Action) -> Timestep:
        velocity = 0.8 * state.velocity + 0.1 * action
        after = Motion(state.position + velocity, velocity, state.step + 1)
        angles = jnp.cumsum(after.position)
        joints = task.lengths[:, None] * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
        reward = -_distance(jnp.sum(joints, axis=0), task.target)
        return _timestep(self, after, self._observation(after), reward)

    def _observation(self, state: Motion) -> Observation:
        angles = state.position
        return jnp.concatenate([jnp.cos(angles), jnp.sin(angles), state.velocity])


class Pose(NamedTuple):
    """Where something is and looks to, and the number of steps taken in the episode."""

    position: Float[Array, "2"]
    heading: Float[Array, ""]
    step: Int[Array, ""]


@dataclass(frozen=True)
class Unicycle:
    """It drives forwards or backwards where it looks to, and turns: to a goal that it does not see.

    An action moves it by at most 0.1 and turns it by at most 0.5 radians. The reward is minus its
    distance to the goal, which is drawn once a lifetime, uniformly from [-1, 1]^2. Episodes start
    at the origin with any heading. The observation is the position, and cosine and sine of the
    heading. Raises SettingError outside ranges.
    """

    episode_length: int = 50

    def __post_init__(self):
        _check(self, "episode_length")

    @property
    def spec(self) -> Spec:
        return Spec(4, Continuous(2), self.episode_length)

    def sample_task(self, key: PRNGKey) -> Float[Array, "2"]:
        return jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0)

    def reset(self, key: PRNGKey, task: Float[Array, "2"]) -> tuple[Pose, Observation]:
        heading = jax.random.uniform(key, minval=-jnp.pi, maxval=jnp.pi)
        state = Pose(jnp.zeros(2), heading, jnp.zeros((), jnp.int32))
        return state, self._observation(state)

    def step(self, key: PRNGKey, task: Float[Array, "2"], state: Pose, action: Action) -> Timestep:
        heading = state.heading + 0.5 * action[1]
        ahead = jnp.stack([jnp.cos(heading), jnp.sin(heading)])
        after = Pose(state.position + 0.1 * action[0] * ahead, heading, state.step + 1)
        reward = -_distance(after.position, task)
        return _timestep(self, after, self._observation(after), reward)

    def _observation(self, state: Pose) -> Observation:
        direction = jnp.stack([jnp.cos(state.heading), jnp.sin(state.heading)])
        return jnp.concatenate([state.position, direction])


def _check(environment: Any, *names: str) -> None:
    for name in names:
        value = getattr(environment, name)
        require(value >= 1, f"{name} must be at least 1, got {value}")


def _distance(x: Float[Array, " size"], y: Float[Array, " size"]) -> Scalar:
    return jnp.sqrt(jnp.sum((x - y) ** 2) + 1e-12)


def _timestep(environment: Any, state: Any, observation: Observation, reward: Scalar) -> Timestep:
    truncated = state.step >= environment.episode_length
    return Timestep(state, observation, reward, jnp.asarray(NEVER), truncated)
