"""Environments that cost little, so that the time of learning is measured."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.types import Action, Discrete, Observation, PRNGKey, Spec, Timestep
from symla.environments import Environment, IndependentBandit


def environment_of(observations: int, actions: int) -> Environment:
    """An environment of that shape: a bandit, CartPole or a synthetic one."""
    if observations == 1:
        return IndependentBandit(actions)
    if (observations, actions) == (4, 2):
        return CartPole()
    return SyntheticEnvironment(observations, actions)


class CartState(NamedTuple):
    """The state of CartPole."""

    motion: Float[Array, " 4"]  # position, its velocity, angle, its velocity: m, m/s, rad, rad/s
    step: Int[Array, ""]


@dataclass(frozen=True)
class CartPole:
    """Barto, Sutton and Anderson 1983 with Gym's numbers: +1 a step until the pole has fallen."""

    episode_length: int = 500

    @property
    def spec(self) -> Spec:
        return Spec(4, Discrete(2), self.episode_length)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[CartState, Observation]:
        motion = jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05)
        return CartState(motion, jnp.zeros((), jnp.int32)), motion

    def step(self, key: PRNGKey, task: tuple[()], state: CartState, action: Action) -> Timestep:
        gravity, pole, total, half_length, tau = 9.8, 0.1, 1.1, 0.5, 0.02
        _, velocity, angle, angular_velocity = state.motion
        force = jnp.where(action == 1, 10.0, -10.0)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        without_pole = (force + pole * half_length * angular_velocity**2 * sin) / total
        inertia = half_length * (4 / 3 - pole * cos**2 / total)
        angular_acceleration = (gravity * sin - cos * without_pole) / inertia
        acceleration = without_pole - pole * half_length * angular_acceleration * cos / total
        change = jnp.stack([velocity, acceleration, angular_velocity, angular_acceleration])
        motion = state.motion + tau * change
        fell = (jnp.abs(motion[0]) > 2.4) | (jnp.abs(motion[2]) > 12 * jnp.pi / 180)
        step = state.step + 1
        ended = step >= self.episode_length
        return Timestep(CartState(motion, step), motion, jnp.ones(()), fell, ended & ~fell)


class PhaseState(NamedTuple):
    """The state of SyntheticEnvironment."""

    phase: Float[Array, " A"]  # in [0, 1)
    step: Int[Array, ""]


@dataclass(frozen=True)
class SyntheticEnvironment:
    """Observations change at constant speeds, the task; action b earns observation b mod A.

    Observation a is 2 x_a - 1, where x_a <- x_a + speed_a modulo 1. One random number determines
    where an episode starts. It is truncated after `episode_length` steps.
    """

    observations: int
    actions: int
    episode_length: int = 20

    @property
    def spec(self) -> Spec:
        return Spec(self.observations, Discrete(self.actions), self.episode_length)

    def sample_task(self, key: PRNGKey) -> Float[Array, " A"]:
        return jax.random.uniform(key, (self.observations,))

    def reset(self, key: PRNGKey, task: Float[Array, " A"]) -> tuple[PhaseState, Observation]:
        golden = 0.6180339887498949 * jnp.arange(self.observations, dtype=jnp.float32)
        phase = _wrap(golden + jax.random.uniform(key))
        return PhaseState(phase, jnp.zeros((), jnp.int32)), 2.0 * phase - 1.0

    def step(
        self, key: PRNGKey, task: Float[Array, " A"], state: PhaseState, action: Action
    ) -> Timestep:
        observation = 2.0 * state.phase - 1.0
        index = jnp.arange(observation.size)
        # A sum over a mask: under vmap a gather would cost more than the rest of the step.
        reward = jnp.sum(jnp.where(index == action % index.size, observation, 0.0))
        phase, step = _wrap(state.phase + task), state.step + 1
        never, ended = jnp.zeros((), bool), step >= self.episode_length
        return Timestep(PhaseState(phase, step), 2.0 * phase - 1.0, reward, never, ended)


def _wrap(x: Float[Array, " A"]) -> Float[Array, " A"]:
    return x - jnp.floor(x)
