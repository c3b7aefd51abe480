"""Small learning algorithms whose actions are known beforehand."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from symla.core.distributions import Categorical, distribution_of


@dataclass(frozen=True)
class Logits:
    """A policy whose meta-parameters are its logits. It does not learn."""

    def init_params(self, key, spec):
        return jnp.zeros(spec.action_size)

    def init_state(self, params, key, spec):
        return ()

    def step(self, params, state, percept, t, key):
        policy, state = self.update(params, state, percept)
        return policy.sample(key), state

    def differentiable(self):
        return self

    def update(self, params, state, percept):
        return Categorical(params), state


@dataclass(frozen=True)
class LearnsLogits:
    """The same as one that learns from rollouts: after each, its logits are meta-parameters."""

    interval: int = 5
    workers: int = 1

    def init_params(self, key, spec):
        return jnp.zeros(spec.action_size)

    def init_state(self, params, key, spec):
        return params

    def act(self, params, state, observation, key):
        return Categorical(state).sample(key), ()

    def learn(self, params, state, rollout, t, key):
        return params

    def learn_with_penalty(self, params, state, rollout, t, key):
        return params, jnp.zeros(())

    def judge(self, params, state, rollout):
        return jax.nn.log_softmax(state)[rollout.action], jnp.zeros(())


@dataclass(frozen=True)
class Diverges(Logits):
    """Its logits are NaN where the first number of an observation is above `limit`."""

    limit: float = 1.5

    def update(self, params, state, percept):
        wrong = percept.observation[0] > self.limit
        return Categorical(jnp.where(wrong, jnp.nan, params)), state


@dataclass(frozen=True)
class Every:
    """Takes action 1 at every `period`-th step, and action 0 otherwise."""

    period: int

    def init_params(self, key, spec):
        return ()

    def init_state(self, params, key, spec):
        return ()

    def step(self, params, state, percept, t, key):
        return ((t + 1) % self.period == 0).astype(jnp.int32), state


@dataclass(frozen=True)
class Echo:
    """A continuous action: what the last one led to, plus 0.5, squashed; -1 where not known."""

    def init_params(self, key, spec):
        return jnp.ones(())

    def init_state(self, params, key, spec):
        return jnp.zeros(spec.action_size)

    def step(self, params, state, percept, t, key):
        seen = params * percept.final_observation[: state.size]
        known = jnp.isfinite(percept.final_observation[: state.size])
        return jnp.where(known, jnp.tanh(seen + 0.5), -1.0), state


class Memory(NamedTuple):
    """One number for each action, and the kind of actions, which is no array."""

    numbers: Any
    space: Any


@dataclass(frozen=True)
class Remembers(Logits):
    """Its logits, or means, are a memory of all that it perceived. It takes any sizes."""

    def init_params(self, key, spec):
        return jnp.array([0.9, 0.5, 0.3, 0.1])

    def init_state(self, params, key, spec):
        return Memory(jnp.zeros(spec.action_size), spec.action)

    def update(self, params, state, percept):
        keep, action, seen, reward = params
        new = keep * state.numbers + action * percept.action + reward * percept.reward
        mean = jnp.sum(jnp.sin(jnp.arange(1.0 * percept.observation.size) + percept.observation))
        numbers = jnp.tanh(new + seen * mean * jnp.arange(1.0, 1.0 + new.size))
        outputs = jnp.stack([numbers, -jnp.ones_like(numbers)], axis=1)
        return distribution_of(state.space, outputs), Memory(numbers, state.space)
