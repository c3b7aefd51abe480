"""Types that every folder shares. All are of one lifetime; `vmap` outside makes batches.

Symbols in shapes: A observations, B actions, E lifetimes of a candidate, L steps of a lifetime,
N LSTM units, M message size, P candidates of a population, G = 4N gates of an LSTM (in `outer`: the
number of groups of candidates), I inputs of a linear map or a gate (of SymLA's gates: M + 1).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

PRNGKey = Key[Array, ""]
Params = PyTree[Array]  # float32 where they are learned
Observation = Float[Array, " A"]
Action = Int[Array, ""]
Scalar = Float[Array, ""]
State = Any  # a pytree: of a learning algorithm, an environment or an outer loop
Task = Any  # a pytree of arrays, see `Environment.sample_task`

# By default JAX multiplies float32 in TF32 on recent NVIDIA GPUs: too inexact to learn from, and no
# error says so.
PRECISION = jax.lax.Precision.HIGHEST


@dataclass(frozen=True)
class Spec:
    """The sizes of an environment, which are all that a learning algorithm knows of it.

    `episode_length` is the largest number of steps in an episode; None: episodes never end, and
    the lifetime need not prepare a reset.
    """

    observation_size: int
    action_size: int
    episode_length: int | None = None


class Percept(NamedTuple):
    """What a learning algorithm perceives before it acts: `a_t, h_t = f(h_{t-1}, percept_t)`.

    At the first step of a lifetime action, reward and done are zeros.
    """

    observation: Float[Array, " A"]
    action: Float[Array, " B"]  # the previous action, one-hot
    reward: Float[Array, ""]  # what it earned
    done: Float[Array, ""]  # 1 if it ended the episode (terminated or truncated)


class Timestep(NamedTuple):
    """The result of an action in an environment."""

    state: State
    observation: Float[Array, " A"]
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    truncated: Bool[Array, ""]


class Transition(NamedTuple):
    """What happened in a step, or in all steps of a lifetime on a leading axis L."""

    action: Int[Array, "*L"]
    reward: Float[Array, "*L"]  # what that action earned
    terminated: Bool[Array, "*L"]
    truncated: Bool[Array, "*L"]
