"""How the policy of a rule depends on rewards of long ago: derivatives of its logits."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from symla.algorithms.base import Differentiable
from symla.core.distributions import Categorical
from symla.core.streams import Stream, stream_key
from symla.core.types import Discrete, Params, Percept, Spec, State
from symla.environments import Environment
from symla.lifetimes.perceived import perceived_lifetime
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
        lags = max(1, min(LAGS, age - 1))  # before the first action there is no reward
        moved = _derivatives(algorithm.differentiable(), environment.spec, rule.params, seen, lags)
        found.append(Sensitivity(age, tuple(np.asarray(moved, np.float64)[::-1].tolist())))
    return tuple(found)


@partial(jax.jit, static_argnames=("algorithm", "environment", "length"))
def _percepts(
    algorithm: Differentiable, environment: Environment, params: Params, keys: Any, length: int
) -> Percept:
    """Of every step of the lifetimes [lifetimes, length, ...]."""
    live = perceived_lifetime(algorithm, environment, length)
    return jax.vmap(partial(live, params))(keys).percept


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
