"""Types that every folder shares. All are of one lifetime; `vmap` outside makes batches.

Symbols in shapes: A observations, B actions, E lifetimes of a candidate, L steps of a lifetime,
N LSTM units, M message size, P candidates of a population, G = 4N gates of an LSTM (in `outer`: the
number of groups of candidates), I inputs of a linear map or a gate (of SymLA's gates: M + 1).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from symla.core.errors import require

PRNGKey = Key[Array, ""]
Params = PyTree[Array]  # float32 where they are learned
Observation = Float[Array, " A"]
Action = Int[Array, ""] | Float[Array, " B"]  # of a Discrete space, of a Continuous one
Advice = Action | Bool[Array, " B"]  # an optimal action, or of discrete ones which are optimal
Scalar = Float[Array, ""]
State = Any  # a pytree: of a learning algorithm, an environment or an outer loop
Task = Any  # a pytree of arrays, see `Environment.sample_task`

# By default JAX multiplies float32 in TF32 on recent NVIDIA GPUs: too inexact to learn from, and no
# error says so.
PRECISION = jax.lax.Precision.HIGHEST


@jax.tree_util.register_static
@dataclass(frozen=True)
class Discrete:
    """One of `size` actions, numbered from 0. Raises SettingError for fewer than 1.

    Like `Continuous` it has no arrays in it: it can stand in a state, and stays as it is there.
    """

    size: int

    def __post_init__(self):
        require(_is_count(self.size), f"Discrete needs at least 1 action, got {self.size!r}")


@jax.tree_util.register_static
@dataclass(frozen=True)
class Continuous:
    """A vector in [-1, 1]^size; adapters scale it to an environment's own bounds.

    Raises SettingError for a size below 1.
    """

    size: int

    def __post_init__(self):
        require(_is_count(self.size), f"Continuous needs a size of at least 1, got {self.size!r}")


def _is_count(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size >= 1


ActionSpace = Discrete | Continuous
ACTION_SPACES: dict[str, type] = {"discrete": Discrete, "continuous": Continuous}


@dataclass(frozen=True)
class Spec:
    """The sizes of an environment, which are all that a learning algorithm knows of it.

    `episode_length` is the largest number of steps in an episode; None: episodes never end, and
    the lifetime need not prepare a reset. `one_hot` says that every observation is: it shows one of
    so many states. Raises SettingError for what is no such size.
    """

    observation_size: int
    action: ActionSpace
    episode_length: int | None = None
    one_hot: bool = False

    def __post_init__(self):
        require(
            _is_count(self.observation_size),
            f"observation_size must be a whole number of at least 1, got {self.observation_size!r}",
        )
        require(
            isinstance(self.action, ActionSpace),
            f"a Spec's action must be Discrete(n) or Continuous(n), got {self.action!r}",
        )
        require(
            self.episode_length is None or _is_count(self.episode_length),
            "episode_length must be None (episodes never end) or a whole number of at least 1, "
            f"got {self.episode_length!r}",
        )

    @property
    def action_size(self) -> int:
        """B: how many actions there are, or how many numbers one has."""
        return self.action.size


class Percept(NamedTuple):
    """What a learning algorithm perceives before it acts: `a_t, h_t = f(h_{t-1}, percept_t)`.

    At the first step of a lifetime action, reward and both flags are zeros.
    """

    observation: Float[Array, " A"]
    action: Float[Array, " B"]  # the previous action: one-hot, or itself if it is continuous
    reward: Float[Array, ""]  # what it earned
    terminated: Bool[Array, ""]  # whether it ended the episode, in a final state
    truncated: Bool[Array, ""]  # whether it ended the episode, by a limit of time
    final_observation: Float[Array, " A"]  # what it led to, before any reset; NaN: not known

    @property
    def done(self) -> Float[Array, ""]:
        """1 if the previous action ended the episode, else 0."""
        return (self.terminated | self.truncated).astype(jnp.float32)


class Timestep(NamedTuple):
    """The result of an action in an environment."""

    state: State
    observation: Float[Array, " A"]
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    truncated: Bool[Array, ""]


class Transition(NamedTuple):
    """What happened in a step, or in all steps of a lifetime on a leading axis L."""

    action: Int[Array, "*L"] | Float[Array, "*L B"]
    reward: Float[Array, "*L"]  # what that action earned
    terminated: Bool[Array, "*L"]
    truncated: Bool[Array, "*L"]


class Rollout(NamedTuple):
    """Consecutive steps of one lifetime, [steps, W, ...] in W environments side by side."""

    observation: Float[Array, "*steps A"]
    action: Int[Array, "*steps"] | Float[Array, "*steps B"]
    reward: Float[Array, "*steps"]
    terminated: Bool[Array, "*steps"]
    truncated: Bool[Array, "*steps"]
    next_observation: Float[Array, "*steps A"]  # before any reset; NaN: not known
    extras: Any = ()  # whatever the algorithm wants to see again of the moment when it acted

    @property
    def done(self) -> Bool[Array, "*steps"]:
        """Whether the step ended its episode."""
        return self.terminated | self.truncated

    @property
    def known(self) -> Bool[Array, "*steps"]:
        """Whether a value can be learned from the step: the value of what a truncated one led to is
        needed, and nobody may have told what that was."""
        return self.terminated | jnp.all(jnp.isfinite(self.next_observation), axis=-1)
