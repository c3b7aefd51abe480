"""The inner loop: one learning algorithm lives one lifetime in one environment.

The only place that resets episodes. The same scan serves every algorithm and environment.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.algorithms.base import LearningAlgorithm
from symla.core.random_numbers import fast_key
from symla.core.types import Params, Percept, PRNGKey, State, Task, Trace
from symla.environments.base import Environment
from symla.lifetimes.percepts import lifetime_keys, new_percept, next_percept


class _Moment(NamedTuple):
    """What is carried from step to step."""

    environment: State
    learner: State
    percept: Percept
    total: Float[Array, ""]
    t: Int[Array, ""]


def lifetime(
    algorithm: LearningAlgorithm,
    environment: Environment,
    params: Params,
    key: PRNGKey,
    length: int,
    *,
    record: bool = True,
    look: Callable[[Trace, State, State], Any] = lambda lived, learner, world: lived,
) -> tuple[Float[Array, ""], Task, Any]:
    """Live `length` steps. Returns the sum of rewards, the task, and the trace if `record`.

    `look` says what of each step enters the trace: from what happened, the learner's state and
    the environment's, as the action left it.

    Everything random follows from `key`: lifetimes with one key share their task and all their
    noise, whatever their meta-parameters. Without a trace, memory is flat in `length`.
    """
    spec = environment.spec
    task_key, reset_key, learner_key, action_key, step_key = lifetime_keys(fast_key(key))
    task = environment.sample_task(task_key)
    state, observation = environment.reset(reset_key, task)
    start = _Moment(
        state,
        algorithm.init_state(params, learner_key, spec),
        new_percept(observation, spec),
        jnp.zeros(()),
        jnp.zeros((), jnp.int32),
    )

    def step(now: _Moment, _: None) -> tuple[_Moment, Any]:
        t = now.t  # carried, because a scanned-over range would cost memory
        action, learner = algorithm.step(
            params, now.learner, now.percept, t, jax.random.fold_in(action_key, t)
        )
        timestep = environment.step(jax.random.fold_in(step_key, t), task, now.environment, action)
        done = timestep.terminated | timestep.truncated
        state, observation = timestep.state, timestep.observation
        if spec.episode_length is not None:
            fresh = environment.reset(jax.random.fold_in(reset_key, t), task)
            state, observation = jax.tree.map(
                lambda new, old: jnp.where(done, new, old), fresh, (state, observation)
            )
        percept = next_percept(observation, action, timestep.reward, done, spec)
        after = _Moment(state, learner, percept, now.total + timestep.reward, t + 1)
        lived = Trace(action, timestep.reward, timestep.terminated, timestep.truncated)
        return after, look(lived, learner, timestep.state) if record else None

    end, trace = jax.lax.scan(step, start, length=length)
    return end.total, task, trace
