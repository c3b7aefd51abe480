"""How the policy of a rule depends on rewards of long ago: derivatives of its logits."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from symla.algorithms.base import Differentiable, LearningAlgorithm
from symla.core.distributions import Categorical
from symla.core.streams import Stream, stream_key
from symla.core.types import (
    Action,
    Discrete,
    Params,
    Percept,
    PRNGKey,
    Spec,
    State,
    Task,
    Transition,
)
from symla.environments import Environment
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import new_percept
from symla.rules.rule import Rule

LAGS = 32  # rewards that are looked back to, at most
LIFETIMES = 32


@dataclass(frozen=True)
class Sensitivity:
    """How much a reward of some steps ago moves the policy now, at one age of the lifetime.

    by_lag[k] is the mean over lifetimes of |d z_t / d r_{t-k}|, the Euclidean norm over actions;
    z are the logits minus their mean (or the means of continuous actions), which is all that a
    policy depends on; r_{t-k} is the reward perceived k steps before the policy of step t.
    """

    age: int
    by_lag: tuple[float, ...]


def sensitivities(
    rule: Rule, environment: Environment, length: int, seed: int
) -> tuple[Sensitivity, ...]:
    """At the end of the first fifth and of the lifetime; none if the rule has no derivative."""
    if not isinstance(rule.algorithm, Differentiable):
        return ()
    algorithm: Any = rule.algorithm
    keys = jax.random.split(stream_key(seed, Stream.TESTING), LIFETIMES)
    percepts = _percepts(algorithm, environment, rule.params, keys, length)
    ages = sorted({max(1, length // 5), length})
    found = []
    for age in ages:
        seen = jax.tree.map(lambda x, age=age: x[:, :age], percepts)
        lags = min(LAGS, age)
        moved = _derivatives(algorithm.differentiable(), environment.spec, rule.params, seen, lags)
        found.append(Sensitivity(age, tuple(np.asarray(moved, np.float64)[::-1].tolist())))
    return tuple(found)


class _Seen(NamedTuple):
    """A learner's state, and what it perceived last."""

    own: State
    percept: Percept


@dataclass(frozen=True)
class _Watched:
    """Another algorithm, that shows what it perceives."""

    algorithm: LearningAlgorithm

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return self.algorithm.init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> _Seen:
        own = self.algorithm.init_state(params, key, spec)
        return _Seen(own, new_percept(jnp.zeros(spec.observation_size), spec))

    def step(
        self, params: Params, state: _Seen, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, _Seen]:
        action, own = self.algorithm.step(params, state.own, percept, t, key)
        return action, _Seen(own, percept)


@partial(jax.jit, static_argnames=("algorithm", "environment", "length"))
def _percepts(
    algorithm: LearningAlgorithm, environment: Environment, params: Params, keys: Any, length: int
) -> Percept:
    """Of every step of the lifetimes [lifetimes, length, ...]."""

    def record(transition: Transition, task: Task, learner: _Seen, world: State) -> Percept:
        return learner.percept

    def one(key: PRNGKey) -> Percept:
        watched = _Watched(algorithm)
        return lifetime(watched, environment, params, key, length, record=record)[2]

    return jax.vmap(one)(keys)


@partial(jax.jit, static_argnames=("algorithm", "spec", "lags"))
def _derivatives(
    algorithm: Any, spec: Spec, params: Params, percepts: Percept, lags: int
) -> Float[Array, " lags"]:
    """Of the last policy, to the last rewards, the newest last; a mean over lifetimes."""

    def live(state: State, percepts: Percept) -> tuple[State, Float[Array, "steps B"]]:
        def step(state: State, percept: Percept) -> tuple[State, Float[Array, " B"]]:
            policy, state = algorithm.update(params, state, percept)
            return state, policy.logits if isinstance(policy, Categorical) else policy.mean

        return jax.lax.scan(step, state, percepts)

    def one(percepts: Percept) -> Float[Array, " lags"]:
        state = algorithm.init_state(params, jax.random.key(0), spec)
        before = jax.tree.map(lambda x: x[:-lags], percepts)
        last = jax.tree.map(lambda x: x[-lags:], percepts)
        state, _ = live(state, before)

        def policy(rewards: Float[Array, " lags"]) -> Float[Array, " B"]:
            outputs = live(state, last._replace(reward=rewards))[1][-1]
            return outputs - jnp.mean(outputs) if isinstance(spec.action, Discrete) else outputs

        return jnp.linalg.norm(jax.jacrev(policy)(last.reward), axis=0)

    return jnp.mean(jax.vmap(one)(percepts), axis=0)
