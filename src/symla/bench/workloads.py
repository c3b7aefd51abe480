"""Cheap environments to measure in: what is timed should be learning."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.types import Action, Observation, PRNGKey, Spec, Timestep
from symla.environments import Environment, IndependentBandit


def environment_of(observations: int, actions: int) -> Environment:
    """One of that shape: a bandit, CartPole, or a synthetic one."""
    if observations == 1:
        return IndependentBandit(actions)
    return CartPole() if (observations, actions) == (4, 2) else Drift(observations, actions)


class Cart(NamedTuple):
    motion: Float[Array, " 4"]  # position, its velocity, angle, its velocity: m, m/s, rad, rad/s
    step: Int[Array, ""]


@dataclass(frozen=True)
class CartPole:
    """Barto, Sutton and Anderson 1983 with Gym's numbers: +1 a step until the pole has fallen."""

    episode_length: int = 500

    @property
    def spec(self) -> Spec:
        return Spec(4, 2, self.episode_length)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[Cart, Observation]:
        motion = jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05)
        return Cart(motion, jnp.zeros((), jnp.int32)), motion

    def step(self, key: PRNGKey, task: tuple[()], state: Cart, action: Action) -> Timestep:
        gravity, pole, total, half_length, tau = 9.8, 0.1, 1.1, 0.5, 0.02
        _, velocity, angle, spin = state.motion
        force = jnp.where(action == 1, 10.0, -10.0)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        pull = (force + pole * half_length * spin**2 * sin) / total
        turn = (gravity * sin - cos * pull) / (half_length * (4 / 3 - pole * cos**2 / total))
        push = pull - pole * half_length * turn * cos / total
        motion = state.motion + tau * jnp.stack([velocity, push, spin, turn])
        fell = (jnp.abs(motion[0]) > 2.4) | (jnp.abs(motion[2]) > 12 * jnp.pi / 180)
        step = state.step + 1
        ended = step >= self.episode_length
        return Timestep(Cart(motion, step), motion, jnp.ones(()), fell, ended & ~fell)


class Phases(NamedTuple):
    phase: Float[Array, " A"]  # in [0, 1)
    step: Int[Array, ""]


@dataclass(frozen=True)
class Drift:
    """Observations wander, each at the task's own speed; an action earns what it points at.

    Observation a is 2 x_a - 1, x_a <- x_a + speed_a modulo 1; action b earns observation b mod A.
    An episode starts anywhere, from one random number, and is cut after `episode_length` steps.
    """

    observations: int
    actions: int
    episode_length: int = 20

    @property
    def spec(self) -> Spec:
        return Spec(self.observations, self.actions, self.episode_length)

    def sample_task(self, key: PRNGKey) -> Float[Array, " A"]:
        return jax.random.uniform(key, (self.observations,))

    def reset(self, key: PRNGKey, task: Float[Array, " A"]) -> tuple[Phases, Observation]:
        golden = 0.6180339887498949 * jnp.arange(self.observations, dtype=jnp.float32)
        phase = _wrap(golden + jax.random.uniform(key))
        return Phases(phase, jnp.zeros((), jnp.int32)), 2.0 * phase - 1.0

    def step(
        self, key: PRNGKey, task: Float[Array, " A"], state: Phases, action: Action
    ) -> Timestep:
        seen = 2.0 * state.phase - 1.0
        # A sum over a mask: under vmap a gather would cost more than the rest of the step.
        reward = jnp.sum(jnp.where(jnp.arange(seen.size) == action % seen.size, seen, 0.0))
        phase, step = _wrap(state.phase + task), state.step + 1
        never, ended = jnp.zeros((), bool), step >= self.episode_length
        return Timestep(Phases(phase, step), 2.0 * phase - 1.0, reward, never, ended)


def _wrap(x: Float[Array, " A"]) -> Float[Array, " A"]:
    return x - jnp.floor(x)
