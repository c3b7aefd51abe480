"""What learns from rollouts, as a learning algorithm that perceives and acts step by step."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.base import AnyAlgorithm, Greedy, LearningAlgorithm, LearnsFromRollouts
from symla.core.distributions import decode
from symla.core.types import (
    Action,
    ActionSpace,
    Observation,
    Params,
    Percept,
    PRNGKey,
    Rollout,
    Spec,
    State,
)


class SteppedState(NamedTuple):
    """The learner, and what it has seen since it learned last."""

    learner: State
    rollout: Rollout  # [interval, 1, ...]; rows that are not yet lived are of the last stretch
    observation: Float[Array, " A"]  # in which the last action was taken
    extras: Any  # of that action
    action: ActionSpace


@dataclass(frozen=True)
class StepByStep:
    """`act` at each step, `learn` after each `interval` of them, in one environment."""

    algorithm: LearnsFromRollouts

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return self.algorithm.init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> SteppedState:
        learner = self.algorithm.init_state(params, key, spec)
        observation = jnp.zeros(spec.observation_size)
        acted = jax.eval_shape(self.algorithm.act, params, learner, observation, key)
        action, extras = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), acted)
        no = jnp.zeros((), bool)
        one = Rollout(observation, action, jnp.zeros(()), no, no, observation, extras)
        rows = self.algorithm.interval, 1
        rollout = jax.tree.map(lambda x: jnp.broadcast_to(x, (*rows, *x.shape)), one)
        return SteppedState(learner, rollout, observation, extras, spec.action)

    def step(
        self, params: Params, state: SteppedState, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, SteppedState]:
        """Note what the last action led to, learn if it is time to, and act."""
        act_key, learn_key = step_keys(key)
        interval = self.algorithm.interval
        rollout = _noted(state, percept, (t - 1) % interval)

        def learn(learner: State) -> State:
            return self.algorithm.learn(params, learner, rollout, t, learn_key)

        # `t` is not batched, so this stays a branch, which leaves large buffers where they are.
        due = (t > 0) & (t % interval == 0)
        learner = jax.lax.cond(due, learn, lambda learner: learner, state.learner)
        action, extras = self.algorithm.act(params, learner, percept.observation, act_key)
        return action, SteppedState(learner, rollout, percept.observation, extras, state.action)


def step_keys(key: PRNGKey) -> tuple[PRNGKey, PRNGKey]:
    """Of acting, and of the learning that goes before it, in a step."""
    act, learn = jax.random.split(key)
    return act, learn


def step_by_step(algorithm: AnyAlgorithm) -> LearningAlgorithm:
    """The algorithm itself, if it has `step`; else as it is in one environment, where it learns
    after as many steps as it would have lived in all of its own."""
    if not isinstance(algorithm, LearnsFromRollouts):
        return algorithm
    return StepByStep(in_one_environment(algorithm))


def in_one_environment(algorithm: LearnsFromRollouts) -> LearnsFromRollouts:
    """The same with one worker that lives `interval` steps for each of the former ones."""
    if algorithm.workers == 1:
        return algorithm
    changed: Any = algorithm
    return replace(changed, workers=1, interval=algorithm.interval * algorithm.workers)


def greedy(
    algorithm: AnyAlgorithm,
    params: Params,
    state: State,
    observation: Observation,
) -> Action | None:
    """The best action by what a learner's `state` holds, or None if it can say none."""
    inner = algorithm.algorithm if isinstance(algorithm, StepByStep) else algorithm
    learner = state.learner if isinstance(state, SteppedState) else state
    return inner.greedy(params, learner, observation) if isinstance(inner, Greedy) else None


def _noted(state: SteppedState, percept: Percept, row: Array) -> Rollout:
    """The rollout with the last step in `row`: before the first step, in one that is overwritten.

    The last action is known as `Percept` has it."""
    action = decode(state.action, percept.action)
    seen = percept.reward, percept.terminated, percept.truncated, percept.final_observation
    last = Rollout(state.observation, action, *seen, state.extras)
    return jax.tree.map(lambda rows, x: rows.at[row, 0].set(x), state.rollout, last)
