"""What a learning algorithm perceives at each step of a lifetime, and which keys it draws from.

The same whether the environment is in JAX, in a process of its own, or in a person's own loop.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.algorithms.base import LearningAlgorithm
from symla.core.types import Action, Params, Percept, PRNGKey, Scalar, Spec, State

NO_ACTION = -1  # before the first: its one-hot is all zeros, as in `new_percept`

NOT_FINITE = (
    "the rule's outputs are not finite numbers{where}: no action can be sampled. Its observations "
    "or rewards may be too large for it, or its meta-parameters diverged in training"
)


class LifetimeKeys(NamedTuple):
    """One for each thing that is random in a lifetime."""

    task: PRNGKey
    episode: PRNGKey  # with the number of the episode folded in, for `reset`
    learner: PRNGKey  # for `init_state`
    action: PRNGKey  # with the step folded in, for the algorithm's `step`
    step: PRNGKey  # with the step folded in, for the environment's `step`


def lifetime_keys(key: PRNGKey) -> LifetimeKeys:
    """The keys of a lifetime, the same for environments in JAX and on the host."""
    return LifetimeKeys(*jax.random.split(key, 5))


def new_percept(observation: Float[Array, " A"], spec: Spec) -> Percept:
    """The first percept of a lifetime: nothing was done, earned or ended yet."""
    return Percept(observation, jnp.zeros(spec.action_size), jnp.zeros(()), jnp.zeros(()))


def next_percept(
    observation: Float[Array, " A"], action: Action, reward: Scalar, done: Array, spec: Spec
) -> Percept:
    """The percept after `action` earned `reward` and led to `observation`."""
    one_hot = jnp.arange(spec.action_size) == action
    return Percept(observation, one_hot.astype(jnp.float32), reward, done.astype(jnp.float32))


def act(
    algorithm: LearningAlgorithm,
    spec: Spec,
    params: Params,
    state: State,
    observation: Float[Array, " A"],
    action: Int[Array, ""],
    reward: Float[Array, ""],
    done: Bool[Array, ""],
    t: Int[Array, ""],
    key: PRNGKey,
) -> tuple[Action, State]:
    """Step `t` of a lifetime: action, reward and done are of the step before, if there was one."""
    percept = next_percept(observation, action, reward, done, spec)
    return algorithm.step(params, state, percept, t, jax.random.fold_in(key, t))
