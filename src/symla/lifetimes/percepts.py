"""What a learning algorithm perceives at each step of a lifetime, and which keys it draws from.

The same whether the environment is in JAX, in a process of its own, or in a person's own loop.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from symla.algorithms.base import LearningAlgorithm
from symla.core.distributions import encode
from symla.core.types import (
    Action,
    ActionSpace,
    Continuous,
    Discrete,
    Params,
    Percept,
    PRNGKey,
    Scalar,
    Spec,
    State,
)

NOT_FINITE = (
    "the rule's outputs are not finite numbers{where}: no action can be sampled. Its observations "
    "or rewards may be too large for it (Thompson sampling is for rewards from 0 to 1), or "
    "meta-parameters, if it has any, diverged in training"
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
    no, nothing = jnp.zeros((), bool), jnp.zeros(())
    return Percept(observation, jnp.zeros(spec.action_size), nothing, no, no, observation)


def next_percept(
    observation: Float[Array, " A"],
    action: Action,
    reward: Scalar,
    terminated: Bool[Array, ""],
    truncated: Bool[Array, ""],
    final_observation: Float[Array, " A"],
    spec: Spec,
) -> Percept:
    """The percept after `action` earned `reward` and led to `final_observation`.

    `observation` is that, too, or if the action ended an episode the first one of the next.
    """
    encoded = encode(spec.action, action)
    return Percept(observation, encoded, reward, terminated, truncated, final_observation)


def host_spec(
    observation_size: int,
    action_size: int,
    continuous: bool,
    episode_length: int | None = None,
    one_hot: bool = False,
) -> Spec:
    """Of an environment on the host. A length of None: episodes may end at any step, or never."""
    action = Continuous(action_size) if continuous else Discrete(action_size)
    return Spec(observation_size, action, episode_length, one_hot)


class LastStep(NamedTuple):
    """What a step on the host left behind, before it is a `Percept`: arrays of numpy, of one
    lifetime or with a leading axis of many."""

    observation: Any  # the first one of the next episode, if this one ended
    action: Any
    reward: Any
    terminated: Any
    truncated: Any
    final_observation: Any  # what the action led to; NaN where nobody said it


def first_step(observation: Any, space: ActionSpace) -> LastStep:
    """Before the first action: its percept is that of `new_percept`."""
    batch = observation.shape[:-1]
    continuous = isinstance(space, Continuous)
    action: Any = np.zeros((*batch, space.size), np.float32)
    return LastStep(
        observation,
        action if continuous else np.full(batch, -1, np.int32),  # whose one-hot is all zeros
        np.zeros(batch, np.float32),
        np.zeros(batch, bool),
        np.zeros(batch, bool),
        observation,
    )


def act(
    algorithm: LearningAlgorithm,
    spec: Spec,
    params: Params,
    state: State,
    last: LastStep,
    t: Array,
    key: PRNGKey,
) -> tuple[Action, State]:
    """Step `t` of a lifetime on the host."""
    percept = next_percept(*last, spec)
    return algorithm.step(params, state, percept, t, jax.random.fold_in(key, t))
