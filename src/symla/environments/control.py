"""Classic control with rewards that suit a lifetime of fixed length and many episodes.

Dynamics are gymnax's. Summed over such a lifetime, Gym's own rewards do not depend on the policy:
CartPole's is 1 and MountainCar's -1 at every step, however often the pole falls or the car reaches
the goal. Here a fall pays -1, the goal +1, and every other step 0. Pendulum, whose episodes never
terminate, keeps its own reward, divided by the largest cost of a step. Observations are divided by
constants so that all are of order 1.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.errors import require
from symla.core.types import Action, Discrete, Observation, PRNGKey, Scalar, Spec, State, Timestep
from symla.environments.gymnax_adapter import Gymnax

# The reward of a termination, and what each observation is divided by (SI units).
TERMINAL_REWARDS = {
    "CartPole-v1": -1.0,
    "Acrobot-v1": 1.0,
    "MountainCar-v0": 1.0,
    "MountainCarContinuous-v0": 1.0,
    "Pendulum-v1": 0.0,
}
PENDULUM_COST = math.pi**2 + 0.1 * 8.0**2 + 0.001 * 2.0**2  # of a step, at most
OBSERVATION_SCALES = {
    "CartPole-v1": (2.4, 3.0, 0.21, 3.0),
    "Acrobot-v1": (1.0, 1.0, 1.0, 1.0, 6.0, 12.0),
    "MountainCar-v0": (1.0, 0.07),
    "MountainCarContinuous-v0": (1.0, 0.07),
    "Pendulum-v1": (1.0, 1.0, 8.0),
}


class ControlState(NamedTuple):
    """The state of gymnax's environment, and the potential of its last observation."""

    inner: State
    potential: Scalar


@dataclass(frozen=True)
class Control:
    """Classic control, rewarded for how an episode terminates; Pendulum-v1 at each step.

    CartPole-v1, Acrobot-v1 and MountainCar-v0 have numbered actions, MountainCarContinuous-v0 and
    Pendulum-v1 continuous ones.

    `shaping` is the weight of the change of a potential (Ng et al. 1999), added to the reward: the
    height of the tip (Acrobot), mechanical energy (both MountainCars), 0 (the others). The
    potential counts as 0 once an episode has ended, terminated or truncated: over an episode these
    terms sum to -shaping times the potential of its start, for every policy. So it hastens learning
    from single steps, and tells an outer loop that sees whole lifetimes nothing.

    `progress` is the weight of the same change without that zero: a dense reward for getting closer
    to the goal. It is not potential-based and changes what is best: for training, not for tests.
    Raises SettingError for another name.
    """

    name: Literal[
        "CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1"
    ] = "CartPole-v1"
    shaping: float = 0.0
    progress: float = 0.0

    def __post_init__(self):
        require(
            self.name in TERMINAL_REWARDS,
            f"name must be one of {', '.join(TERMINAL_REWARDS)}, got {self.name!r}",
        )

    @property
    def spec(self) -> Spec:
        return Gymnax(self.name).spec

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[ControlState, Observation]:
        state, observation = Gymnax(self.name).reset(key, task)
        return ControlState(state, self._potential(observation)), self._scaled(observation)

    def step(self, key: PRNGKey, task: tuple[()], state: ControlState, action: Action) -> Timestep:
        timestep = Gymnax(self.name).step(key, task, state.inner, action)
        ended = timestep.terminated | timestep.truncated
        potential = self._potential(timestep.observation)
        gain = potential - state.potential
        shaped = jnp.where(ended, 0.0, potential) - state.potential
        terminated = timestep.terminated.astype(jnp.float32)
        reward = TERMINAL_REWARDS[self.name] * terminated
        if self.name == "Pendulum-v1":
            reward = timestep.reward / PENDULUM_COST
        reward = reward + self.shaping * shaped + self.progress * gain
        return timestep._replace(
            state=ControlState(timestep.state, potential),
            observation=self._scaled(timestep.observation),
            reward=reward,
        )

    def _scaled(self, observation: Observation) -> Observation:
        return observation / jnp.asarray(OBSERVATION_SCALES[self.name])

    def _potential(self, observation: Float[Array, " A"]) -> Scalar:
        """Of order 1: it rises by 1 (MountainCar) or 1.5 (Acrobot) from rest to the goal."""
        if self.name == "Acrobot-v1":
            cos_1, sin_1, cos_2, sin_2 = observation[:4]
            return (-cos_1 - (cos_1 * cos_2 - sin_1 * sin_2)) / 2.0
        if self.name.startswith("MountainCar"):
            position, velocity = observation
            slope = 0.0025 / 3.0  # the potential of gravity is slope * sin(3 position)
            return (jnp.sin(3.0 * position) + 1.0) / 2.0 + velocity**2 / (4.0 * slope)
        return jnp.zeros(())


@dataclass(frozen=True)
class Balance:
    """CartPole rewarded at each step, in [0, 1], for being upright and centred.

    After dm_control: the reward is the product of upright = (cos angle + 1) / 2 and
    centred = (1 + 0.1^((x / 2)^2)) / 2. Observations [5], of order 1: position, velocity,
    cos angle, sin angle, angular velocity. An episode never terminates; it is truncated after
    `episode_length` steps. Raises SettingError for fewer than 1.
    """

    episode_length: int = 200

    def __post_init__(self):
        require(self.episode_length >= 1, f"episode_length must be at least 1: {self}")

    @property
    def spec(self) -> Spec:
        return Spec(5, Discrete(2), self.episode_length)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[State, Observation]:
        state, observation = Gymnax("CartPole-v1").reset(key, task)
        return state, _balance_observation(observation)

    def step(self, key: PRNGKey, task: tuple[()], state: State, action: Action) -> Timestep:
        timestep = Gymnax("CartPole-v1").step(key, task, state, action)
        position, _, angle, _ = timestep.observation
        upright = (jnp.cos(angle) + 1.0) / 2.0
        centred = (1.0 + 0.1 ** ((position / 2.0) ** 2)) / 2.0
        return timestep._replace(
            observation=_balance_observation(timestep.observation),
            reward=upright * centred,
            terminated=jnp.zeros((), bool),
            truncated=timestep.state.time >= self.episode_length,
        )


def _balance_observation(observation: Float[Array, " 4"]) -> Float[Array, " 5"]:
    position, velocity, angle, angular_velocity = observation
    return jnp.stack(
        [position / 2.4, velocity / 3.0, jnp.cos(angle), jnp.sin(angle), angular_velocity / 3.0]
    )
