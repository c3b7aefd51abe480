"""Lifetimes as their learners knew them: lived without a gradient, to be learned from again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.algorithms.base import Differentiable
from symla.core.types import Action, Params, Percept, PRNGKey, Spec, State, Task, Transition
from symla.environments.base import Environment
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import LastStep, new_percept, next_percept


class Perceived(NamedTuple):
    """A lifetime as its learner knew it, from which it can learn again."""

    percept: Percept  # of each step, before the action [L]
    action: Int[Array, " L"] | Float[Array, "L B"]
    reward: Float[Array, " L"]  # what that action earned
    terminated: Bool[Array, " L"]  # whether it did this to the episode
    truncated: Bool[Array, " L"]


def perceived(seen: LastStep, spec: Spec) -> Perceived:
    """Of a lifetime on the host, of which `seen` [L + 1] is what each step left behind."""
    before = jax.tree.map(lambda x: x[:-1], seen)
    percept = jax.vmap(lambda last: next_percept(**last._asdict(), spec=spec))(before)
    after = jax.tree.map(lambda x: x[1:], seen)
    return Perceived(percept, after.action, after.reward, after.terminated, after.truncated)


def perceived_lifetime(
    algorithm: Differentiable, environment: Environment, length: int
) -> Callable[[Params, PRNGKey], Perceived]:
    """A function of meta-parameters and a lifetime's key: that lifetime, without a gradient."""
    watched = _RemembersPercept(SamplesPolicy(algorithm.differentiable()))

    def record(transition: Transition, task: Task, learner: "_Saw", world: State) -> Perceived:
        return Perceived(learner.percept, *transition)

    def live(params: Params, key: PRNGKey) -> Perceived:
        return lifetime(watched, environment, params, key, length, record=record)[2]

    return live


@dataclass(frozen=True)
class SamplesPolicy:
    """A differentiable learning algorithm as it acts where its gradient is taken afterwards."""

    algorithm: Differentiable

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return self.algorithm.init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> State:
        return self.algorithm.init_state(params, key, spec)

    def step(
        self, params: Params, state: State, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, State]:
        policy, state = self.algorithm.update(params, state, percept)
        return policy.sample(key), state


class _Saw(NamedTuple):
    """The state of `_RemembersPercept`, after an action."""

    learner: State  # of the algorithm inside
    percept: Percept  # what it saw before it


@dataclass(frozen=True)
class _RemembersPercept:
    """A learning algorithm whose state has its last percept."""

    algorithm: SamplesPolicy

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return self.algorithm.init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> _Saw:
        nothing = new_percept(jnp.zeros(spec.observation_size), spec)
        return _Saw(self.algorithm.init_state(params, key, spec), nothing)

    def step(
        self, params: Params, state: _Saw, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, _Saw]:
        action, learner = self.algorithm.step(params, state.learner, percept, t, key)
        return action, _Saw(learner, percept)
