"""Every gymnax environment, as `gymnax:ID`.

Observations are flattened to float32 (a discrete one becomes one-hot) and otherwise unchanged;
continuous actions are scaled from [-1, 1] to their bounds.
`step` does not reset as gymnax's own does: whoever runs the lifetime resets.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from symla.core.errors import SettingError, UnknownNameError
from symla.core.matplotlib_import import matplotlib_importable
from symla.core.settings import with_settings
from symla.core.types import Action, Continuous, Discrete, Observation, PRNGKey, Spec, Timestep


@dataclass(frozen=True)
class Gymnax:
    """The gymnax environment of that ID, with its default parameters but for those in `settings`.

    Raises UnknownNameError for an unknown ID or parameter, SettingError for one of another type,
    for an environment that gymnax cannot make, or whose actions or observations are of a kind that
    is not supported.
    """

    name: str
    settings: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self):
        _load(*self._key)

    @property
    def _key(self) -> tuple[str, tuple[tuple[str, Any], ...]]:
        return self.name, self.settings

    @property
    def spec(self) -> Spec:
        environment, params = _load(*self._key)
        space = environment.observation_space(params)
        states = getattr(space, "n", None)
        actions = environment.action_space(params)
        count = getattr(actions, "n", None)
        action = Continuous(_size(actions)) if count is None else Discrete(int(count))
        size = _size(space) if states is None else int(states)
        limit = int(params.max_steps_in_episode)
        return Spec(size, action, limit, one_hot=states is not None)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[Any, Observation]:
        environment, params = _load(*self._key)
        with _gymnax_promotion():
            observation, state = environment.reset_env(key, params)
            return _as_arrays(state), self._flatten(observation)

    def step(self, key: PRNGKey, task: tuple[()], state: Any, action: Action) -> Timestep:
        environment, params = _load(*self._key)
        with _gymnax_promotion():
            observation, after, reward, terminated, _ = environment.step_env(
                key, state, self._theirs(action), params
            )
            truncated = environment.is_truncated(after, params)
            after = jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), after, state)
            terminated = jnp.asarray(terminated, bool)
            return Timestep(
                after,
                self._flatten(observation),
                jnp.asarray(reward, jnp.float32).reshape(()),
                terminated,
                jnp.asarray(truncated, bool) & ~terminated,
            )

    def _theirs(self, action: Action) -> Array:
        """The action as gymnax wants it."""
        environment, params = _load(*self._key)
        space = environment.action_space(params)
        if getattr(space, "n", None) is not None:
            return action
        low, high = (jnp.asarray(end, jnp.float32) for end in (space.low, space.high))
        return low + (action.reshape(space.shape) + 1.0) / 2.0 * (high - low)

    def _flatten(self, observation: Any) -> Observation:
        environment, params = _load(*self._key)
        count = getattr(environment.observation_space(params), "n", None)
        if count is not None:
            return jax.nn.one_hot(observation, int(count), dtype=jnp.float32)
        return jnp.ravel(jnp.asarray(observation, jnp.float32))


@cache
def _load(name: str, settings: tuple[tuple[str, Any], ...]) -> tuple[Any, Any]:
    """The environment and its parameters, checked. Imports gymnax here because that is slow."""
    with matplotlib_importable():  # which gymnax imports
        import gymnax
        from gymnax.environments import spaces

    if name not in gymnax.registered_envs:
        raise UnknownNameError("gymnax environment", name, gymnax.registered_envs)
    try:
        with jax.ensure_compile_time_eval():  # the first call may be inside jit
            environment, params = gymnax.make(name)
    except Exception as error:  # some need data files that are not installed
        raise SettingError(f"gymnax cannot make {name}: {error}") from error
    params = with_settings(params, dict(settings), f"gymnax:{name}")
    actions, observations = environment.action_space(params), environment.observation_space(params)
    if not isinstance(actions, spaces.Discrete) and not _is_bounded_box(actions):
        raise SettingError(
            f"gymnax:{name} has actions of the kind {type(actions).__name__}; symla's learning "
            "algorithms choose one of a number (Discrete), or a vector within bounds (Box)"
        )
    if not isinstance(observations, (spaces.Box, spaces.Discrete)):
        raise SettingError(
            f"gymnax:{name} shows {type(observations).__name__} observations; "
            "symla reads arrays (Box) and whole numbers (Discrete)"
        )
    return environment, params


def _size(space: Any) -> int:
    """How many numbers are in an element of a Box."""
    return math.prod(space.shape)


def _is_bounded_box(space: Any) -> bool:
    from gymnax.environments import spaces

    if not isinstance(space, spaces.Box):
        return False
    return bool(np.isfinite(space.low).all() and np.isfinite(space.high).all())


@contextmanager
def _gymnax_promotion() -> Iterator[None]:
    """Allow gymnax to mix types and ranks, which the configuration of our tests forbids."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def _as_arrays(state: Any) -> Any:
    """Python numbers as arrays with a fixed type, which a scan needs."""
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.asarray(x).dtype), state)
