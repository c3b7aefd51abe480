"""A lifetime in a form through which a gradient can be taken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.base import KEPT, Differentiable
from symla.core.distributions import Distribution
from symla.core.types import Action, Params, Percept, PRNGKey, Scalar, Spec, State, Task, Transition
from symla.environments.base import Environment
from symla.lifetimes.lifetime import Life, lifetime, live_on
from symla.lifetimes.percepts import LastStep, next_percept


class Steps(NamedTuple):
    """What an objective needs of each step of a lifetime."""

    reward: Float[Array, " L"]
    log_probability: Float[Array, " L"]  # of the action that was taken
    entropy: Float[Array, " L"]  # of the policy


def differentiable_lifetime(
    algorithm: Differentiable, environment: Environment, length: int, horizon: int
) -> Callable[[Params, PRNGKey], tuple[Scalar, Steps]]:
    """A function of meta-parameters and a lifetime's key: the sum of rewards, and its steps.

    The gradient goes back `horizon` steps at most; 0: to the start of the lifetime.
    """
    recording = _RecordsPolicy(algorithm.differentiable(), horizon)

    def live(params: Params, key: PRNGKey) -> tuple[Scalar, Steps]:
        total, _, steps = lifetime(recording, environment, params, key, length, record=_steps)
        return total, steps

    return live


def differentiable_stretch(
    algorithm: Differentiable, environment: Environment, length: int, horizon: int
) -> Callable[[Params, Life], tuple[Scalar, Steps, Life]]:
    """The same of a life that goes on: the sum of rewards and the steps of the next `length`, and
    the life after them. The gradient never goes back beyond the stretch."""
    recording = _RecordsPolicy(algorithm.differentiable(), horizon)

    def live(params: Params, life: Life) -> tuple[Scalar, Steps, Life]:
        zero = jnp.zeros(())
        before = life._replace(learner=_Acted(life.learner, zero, zero))
        clock = jnp.zeros((), jnp.int32)
        after, total, steps = live_on(
            recording, environment, params, before, length, clock=clock, record=_steps
        )
        return total, steps, after._replace(learner=after.learner.learner)

    return live


def differentiable_record(
    algorithm: Differentiable, spec: Spec, horizon: int
) -> Callable[[Params, State, LastStep], tuple[Scalar, Steps]]:
    """A function of meta-parameters, a learner's state, and what was seen since then on the host,
    [L + 1] of what each step left behind: the sum of rewards, and the L steps.

    The learner learns from the same percepts again. `horizon` as in `differentiable_lifetime`.
    """
    recording = _RecordsPolicy(algorithm.differentiable(), horizon)

    def live(params: Params, learner: State, seen: LastStep) -> tuple[Scalar, Steps]:
        before = jax.tree.map(lambda x: x[:-1], seen)
        after = jax.tree.map(lambda x: x[1:], seen)

        def step(now, one):
            learner, t = now
            last, action, reward = one
            percept = next_percept(**last._asdict(), spec=spec)
            policy, learner = recording.policy(params, learner, percept, t)
            steps = Steps(reward, policy.log_probability(action), policy.entropy())
            return (learner, t + 1), steps

        start = learner, jnp.zeros((), jnp.int32)
        _, steps = jax.lax.scan(step, start, (before, after.action, after.reward))
        return jnp.sum(steps.reward), steps

    return live


def _steps(transition: Transition, task: Task, learner: State, world: State) -> Steps:
    """What is recorded of a step."""
    return Steps(transition.reward, learner.log_probability, learner.entropy)


class _Acted(NamedTuple):
    """The state of `_RecordsPolicy`, after an action."""

    learner: State  # of the algorithm inside
    log_probability: Scalar  # of the action
    entropy: Scalar  # of the policy that it was sampled from


@dataclass(frozen=True)
class _RecordsPolicy:
    """A learning algorithm whose state has the probability of its last action, and the entropy."""

    algorithm: Differentiable
    horizon: int

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return self.algorithm.init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> _Acted:
        zero = jnp.zeros(())
        return _Acted(self.algorithm.init_state(params, key, spec), zero, zero)

    def step(
        self, params: Params, state: _Acted, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, _Acted]:
        policy, learner = self.policy(params, state.learner, percept, t)
        action = jax.lax.stop_gradient(policy).sample(key)
        return action, _Acted(learner, policy.log_probability(action), policy.entropy())

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
