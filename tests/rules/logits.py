"""What a rule answers to percepts that are given, for what is to answer the same without JAX."""

from dataclasses import dataclass, replace
from inspect import unwrap
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from symla.algorithms import SymLA
from symla.core.types import Discrete, Percept, Spec
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import new_percept
from symla.rules.rule import Rule

STEPS = 500


def percepts(observations, actions, seed=0):
    """Of 500 steps: observations, some one-hot, actions, rewards, ends of episodes."""
    random = np.random.default_rng(seed)
    seen = random.standard_normal((STEPS, observations))
    seen[::2] = np.eye(observations)[random.integers(observations, size=len(seen[::2]))]
    action = np.eye(actions)[random.integers(actions, size=STEPS)]
    action[0] = 0.0
    reward = random.choice([-1.0, 0.0, 0.0, 0.3, 1.0], STEPS)
    arrays = seen, action, reward, random.random(STEPS) < 0.1
    return [array.astype(np.float32) for array in arrays]


def logits(rule, observation, action, reward, done):
    """[steps, actions], from the package's plain implementation in float64: in float32 rounding
    grows, over 500 steps of such percepts, to as much as 0.05 between its own two kernels."""
    algorithm = replace(rule.algorithm, backend="plain")
    with jax.enable_x64():
        params, seen = jax.tree.map(
            lambda x: jnp.asarray(x, jnp.float64),
            jax.device_get((rule.params, (observation, action, reward, done))),
        )
        return _logits(algorithm, params, *seen)


def lived(rule, environment):
    """The percepts of a lifetime of 500 steps, and what the package, as it is, answers: logits."""
    algorithm = _Watched(rule.algorithm)
    _, _, (*arrays, found) = lifetime(
        algorithm, environment, rule.params, jax.random.key(0), STEPS, record=lambda *x: x[2].seen
    )
    return [np.asarray(array) for array in arrays], np.asarray(found)


def _logits(algorithm, params, observation, action, reward, done):
    init_state, update = (unwrap(getattr(SymLA, name)) for name in ("init_state", "update"))
    spec = Spec(observation.shape[1], Discrete(action.shape[1]))
    never = jnp.zeros((), bool)

    def step(state, percept):
        seen, action, reward, done = percept
        percept = _Percept(seen, action, reward, done > 0, never, seen)
        policy, state = update(algorithm, params, state, percept)
        return state, policy.logits

    start = init_state(algorithm, params, jax.random.key(0), spec)
    found = jax.lax.scan(step, start, (observation, action, reward, done))[1]
    assert found.dtype == jnp.float64
    return np.asarray(found)


class _Percept(Percept):
    done = property(lambda self: self.terminated.astype(self.reward.dtype))


class _State(NamedTuple):
    own: Any
    seen: Any


@dataclass(frozen=True)
class _Watched:
    """Another algorithm, whose last percept and logits can be read in its state."""

    algorithm: Any

    def init_params(self, key, spec):
        return self.algorithm.init_params(key, spec)

    def init_state(self, params, key, spec):
        percept = new_percept(jnp.zeros(spec.observation_size), spec)
        own = self.algorithm.init_state(params, key, spec)
        return _State(own, _seen(percept, jnp.zeros(spec.action_size)))

    def step(self, params, state, percept, t, key):
        policy, own = self.algorithm.update(params, state.own, percept)
        return policy.sample(key), _State(own, _seen(percept, policy.logits))


def _seen(percept, logits):
    return percept.observation, percept.action, percept.reward, percept.done, logits


def two_layers():
    """A rule that nobody trained, of another shape than those that ship."""
    algorithm = SymLA(hidden_size=5, message_size=3, micro_ticks=1, widths=(3,), aggregation="sum")
    params = algorithm.init_params(jax.random.key(1), Spec(2, Discrete(2)))
    return Rule(algorithm, params, {"trained_on": "nothing"})
