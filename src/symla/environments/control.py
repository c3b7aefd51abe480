"""Classic control as a lifetime of many episodes: rewards that mean something there.

Room: environments. Dynamics are gymnax's. Gym's own rewards do not tell good from bad over a
lifetime of fixed length: CartPole's is 1 and MountainCar's -1 at every step, however often the
pole falls or the car arrives. Here -1 is paid for a fall and +1 for arriving, 0 elsewhere.
Observations are divided by constants of the size of the quantity, so that all are of order 1.
"""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.errors import require
from symla.core.types import Action, Observation, PRNGKey, Scalar, Spec, State, Timestep
from symla.environments.gymnax_adapter import Gymnax

# What the end of an episode earns, and the size of each observation (SI units).
ENDS = {"CartPole-v1": -1.0, "Acrobot-v1": 1.0, "MountainCar-v0": 1.0}
SIZES = {
    "CartPole-v1": (2.4, 3.0, 0.21, 3.0),
    "Acrobot-v1": (1.0, 1.0, 1.0, 1.0, 6.0, 12.0),
    "MountainCar-v0": (1.0, 0.07),
}


@dataclass(frozen=True)
class Control:
    """CartPole-v1, Acrobot-v1 or MountainCar-v0 with a reward for how episodes end.

    `shaping` adds that many times the change of a potential (Ng et al. 1999): the tip's height
    (Acrobot), mechanical energy (MountainCar); CartPole has none. Raises SettingError for
    another name.
    """

    name: Literal["CartPole-v1", "Acrobot-v1", "MountainCar-v0"] = "CartPole-v1"
    shaping: float = 0.0

    def __post_init__(self):
        require(self.name in ENDS, f"name must be one of {', '.join(ENDS)}, got {self.name!r}")

    @property
    def spec(self) -> Spec:
        return Gymnax(self.name).spec

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[State, Observation]:
        state, observation = Gymnax(self.name).reset(key, task)
        return (state, self._potential(observation)), self._scaled(observation)

    def step(self, key: PRNGKey, task: tuple[()], state: State, action: Action) -> Timestep:
        inner, before = state
        timestep = Gymnax(self.name).step(key, task, inner, action)
        after = self._potential(timestep.observation)
        ended = timestep.terminated.astype(jnp.float32)
        reward = ENDS[self.name] * ended + self.shaping * (after - before)
        return timestep._replace(
            state=(timestep.state, after),
            observation=self._scaled(timestep.observation),
            reward=reward,
        )

    def _scaled(self, observation: Observation) -> Observation:
        return observation / jnp.asarray(SIZES[self.name])

    def _potential(self, observation: Float[Array, " A"]) -> Scalar:
        """Of order 1: from rest to the goal it rises by 1 (MountainCar) or 1.5 (Acrobot)."""
        if self.name == "Acrobot-v1":
            cos_1, sin_1, cos_2, sin_2 = observation[:4]
            return (-cos_1 - (cos_1 * cos_2 - sin_1 * sin_2)) / 2.0
        if self.name == "MountainCar-v0":
            position, velocity = observation
            slope = 0.0025 / 3.0  # gravity's potential is slope * sin(3 position)
            return (jnp.sin(3.0 * position) + 1.0) / 2.0 + velocity**2 / (4.0 * slope)
        return jnp.zeros(())


@dataclass(frozen=True)
class Balance:
    """CartPole rewarded at each step for being upright and centred, in [0, 1]; nothing ends it
    but the length of an episode.

    After dm_control: upright = (cos angle + 1) / 2, centred = (1 + 0.1^((x / 2)^2)) / 2, and the
    reward is their product. Observations: position, velocity, cos angle, sin angle, angular
    velocity, of order 1.
    """

    episode_length: int = 200

    def __post_init__(self):
        require(self.episode_length >= 1, f"episode_length must be at least 1: {self}")

    @property
    def spec(self) -> Spec:
        return Spec(5, 2, self.episode_length)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[State, Observation]:
        state, observation = Gymnax("CartPole-v1").reset(key, task)
        return state, _pose(observation)

    def step(self, key: PRNGKey, task: tuple[()], state: State, action: Action) -> Timestep:
        timestep = Gymnax("CartPole-v1").step(key, task, state, action)
        position, _, angle, _ = timestep.observation
        upright = (jnp.cos(angle) + 1.0) / 2.0
        centred = (1.0 + 0.1 ** ((position / 2.0) ** 2)) / 2.0
        return timestep._replace(
            observation=_pose(timestep.observation),
            reward=upright * centred,
            terminated=jnp.zeros((), bool),
            truncated=timestep.state.time >= self.episode_length,
        )


def _pose(observation: Float[Array, " 4"]) -> Float[Array, " 5"]:
    position, velocity, angle, spin = observation
    return jnp.stack([position / 2.4, velocity / 3.0, jnp.cos(angle), jnp.sin(angle), spin / 3.0])
