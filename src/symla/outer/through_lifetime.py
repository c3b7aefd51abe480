"""A lifetime in a form through which a gradient can be taken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.base import KEPT, Differentiable
from symla.core.distributions import Categorical, Distribution, distribution_of
from symla.core.types import (
    Action,
    Advice,
    Observation,
    Params,
    Percept,
    PRNGKey,
    Scalar,
    Spec,
    State,
    Task,
    Timestep,
    Transition,
)
from symla.environments.base import Environment
from symla.lifetimes.lifetime import Life, Record, lifetime, live_on
from symla.lifetimes.perceived import Perceived, perceived
from symla.lifetimes.percepts import LastStep


class Steps(NamedTuple):
    """What an objective needs of each step of a lifetime."""

    reward: Float[Array, " L"]
    log_probability: Float[Array, " L"]  # of the action that was taken
    entropy: Float[Array, " L"]  # of the policy
    advised: Float[Array, " L"]  # log-probability of what was advised; 0 where nothing is


ADVICE = 0.98  # the largest size of a continuous one: what is squashed to 1 is infinite


def differentiable_lifetime(
    algorithm: Differentiable,
    environment: Environment,
    length: int,
    horizon: int,
    advised: bool = False,
) -> Callable[[Params, PRNGKey], tuple[Scalar, Steps]]:
    """A function of meta-parameters and a lifetime's key: the sum of rewards, and its steps.

    The gradient goes back `horizon` steps at most; 0: to the start of the lifetime. `advised`: the
    environment is asked for its advice at each step.
    """
    recording = _RecordsPolicy(algorithm.differentiable(), horizon)
    world, record = _observed(environment, advised)

    def live(params: Params, key: PRNGKey) -> tuple[Scalar, Steps]:
        total, _, steps = lifetime(recording, world, params, key, length, record=record)
        return total, steps

    return live


def differentiable_stretch(
    algorithm: Differentiable,
    environment: Environment,
    length: int,
    horizon: int,
    advised: bool = False,
) -> Callable[[Params, Life], tuple[Scalar, Steps, Life]]:
    """The same of a life that goes on: the sum of rewards and the steps of the next `length`, and
    the life after them. The gradient never goes back beyond the stretch."""
    recording = _RecordsPolicy(algorithm.differentiable(), horizon)
    world, record = _observed(environment, advised)

    def live(params: Params, life: Life) -> tuple[Scalar, Steps, Life]:
        before = life._replace(learner=_Acted(life.learner, _no_policy(environment.spec)))
        if advised:
            before = before._replace(world=_World(life.world, life.world))
        clock = jnp.zeros((), jnp.int32)
        after, total, steps = live_on(
            recording, world, params, before, length, clock=clock, record=record
        )
        after = after._replace(learner=after.learner.learner)
        return total, steps, after._replace(world=after.world.now) if advised else after

    return live


def differentiable_percepts(
    algorithm: Differentiable, horizon: int
) -> Callable[[Params, State, Perceived], Steps]:
    """A function of meta-parameters, a learner's first state and what it perceived from then on:
    the steps of that lifetime, in which it learns from the same percepts again.

    `horizon` as in `differentiable_lifetime`.
    """
    recording = _RecordsPolicy(algorithm.differentiable(), horizon)

    def live(params: Params, learner: State, seen: Perceived) -> Steps:
        def step(now: tuple[State, Array], one: Perceived) -> tuple[tuple[State, Array], Steps]:
            learner, t = now
            policy, learner = recording.policy(params, learner, one.percept, t)
            return (learner, t + 1), _steps_of(one.reward, one.action, policy, jnp.zeros(()))

        return jax.lax.scan(step, (learner, jnp.zeros((), jnp.int32)), seen)[1]

    return live


def differentiable_record(
    algorithm: Differentiable, spec: Spec, horizon: int
) -> Callable[[Params, State, LastStep], tuple[Scalar, Steps]]:
    """The same of what was seen on the host, [L + 1] of what each step left behind: the sum of
    rewards, and the L steps."""
    again = differentiable_percepts(algorithm, horizon)

    def live(params: Params, learner: State, seen: LastStep) -> tuple[Scalar, Steps]:
        steps = again(params, learner, perceived(seen, spec))
        return jnp.sum(steps.reward), steps

    return live


def _steps_of(reward: Scalar, action: Action, policy: Distribution, advised: Scalar) -> Steps:
    return Steps(reward, policy.log_probability(action), policy.entropy(), advised)


def _agreement(policy: Distribution, advice: Advice) -> Scalar:
    """The log-probability of doing as advised."""
    if advice.dtype == bool:
        assert isinstance(policy, Categorical)
        return policy.log_probability_of_any(advice)
    if jnp.issubdtype(advice.dtype, jnp.floating):
        advice = jnp.clip(advice, -ADVICE, ADVICE)
    return policy.log_probability(advice)


def _observed(environment: Any, advised: bool) -> tuple[Environment, Record]:
    """The environment to live in, and what is recorded of each step there."""

    def plain(transition: Transition, task: Task, learner: "_Acted", world: State) -> Steps:
        return _steps_of(transition.reward, transition.action, learner.policy, jnp.zeros(()))

    def with_advice(
        transition: Transition, task: Task, learner: "_Acted", world: "_World"
    ) -> Steps:
        advice = environment.advice(task, world.before)
        agreed = _agreement(learner.policy, advice)
        return _steps_of(transition.reward, transition.action, learner.policy, agreed)

    return (_KeepsLastState(environment), with_advice) if advised else (environment, plain)


class _World(NamedTuple):
    """The state of `_KeepsLastState`."""

    now: State  # of the environment inside
    before: State  # the one in which the last action was taken


@dataclass(frozen=True)
class _KeepsLastState:
    """An environment whose state has the one before, too: advice is asked for there."""

    environment: Environment

    @property
    def spec(self) -> Spec:
        return self.environment.spec

    def sample_task(self, key: PRNGKey) -> Task:
        return self.environment.sample_task(key)

    def reset(self, key: PRNGKey, task: Task) -> tuple[_World, Observation]:
        state, observation = self.environment.reset(key, task)
        return _World(state, state), observation

    def step(self, key: PRNGKey, task: Task, state: _World, action: Action) -> Timestep:
        timestep = self.environment.step(key, task, state.now, action)
        return timestep._replace(state=_World(timestep.state, state.now))


class _Acted(NamedTuple):
    """The state of `_RecordsPolicy`, after an action."""

    learner: State  # of the algorithm inside
    policy: Distribution  # that the action was sampled from


def _no_policy(spec: Spec) -> Distribution:
    """What stands in the state before the first action."""
    return distribution_of(spec.action, jnp.zeros((spec.action_size, 2)))


@dataclass(frozen=True)
class _RecordsPolicy:
    """A learning algorithm whose state has the policy of its last action."""

    algorithm: Differentiable
    horizon: int

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return self.algorithm.init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> _Acted:
        return _Acted(self.algorithm.init_state(params, key, spec), _no_policy(spec))

    def step(
        self, params: Params, state: _Acted, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, _Acted]:
        policy, learner = self.policy(params, state.learner, percept, t)
        action = jax.lax.stop_gradient(policy).sample(key)
        return action, _Acted(learner, policy)

    def policy(
        self, params: Params, learner: State, percept: Percept, t: Array
    ) -> tuple[Distribution, State]:
        """The distribution of the next action, and the learner's new state."""
        # Recomputed on the way back, except for what the algorithm names: all that a step needs
        # would fill the memory of long lifetimes. In a scan nothing must prevent that XLA unites it
        # with the way there.
        keep = jax.checkpoint_policies.save_only_these_names(KEPT)
        update = jax.checkpoint(self.algorithm.update, prevent_cse=False, policy=keep)
        return update(params, self._cut(learner, t), percept)

    def _cut(self, learner: State, t: Array) -> State:
        """Where the gradient goes no further back."""
        if not self.horizon:
            return learner
        cut = t % self.horizon == 0
        return jax.tree.map(lambda x: jnp.where(cut, jax.lax.stop_gradient(x), x), learner)
