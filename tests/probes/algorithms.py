"""Small learning algorithms whose actions are known beforehand."""

from dataclasses import dataclass

import jax.numpy as jnp

from symla.core.distributions import Categorical


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
