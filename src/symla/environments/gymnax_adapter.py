"""Every gymnax environment with discrete actions, as `gymnax:ID`.

Observations are flattened to float32 (a discrete one becomes one-hot) and otherwise unchanged.
`step` does not reset as gymnax's own does: whoever runs the lifetime resets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from symla.core.errors import SettingError, UnknownNameError
from symla.core.types import Action, Observation, PRNGKey, Spec, Timestep


@dataclass(frozen=True)
class Gymnax:
    """The gymnax environment of that ID, with its default parameters.

    Raises UnknownNameError for an unknown ID, SettingError for one that gymnax cannot make or
    whose actions or observations are of a kind that is not supported.
    """

    name: str

    def __post_init__(self):
        _load(self.name)

    @property
    def spec(self) -> Spec:
        environment, params = _load(self.name)
        space = environment.observation_space(params)
        size = getattr(space, "n", None) or int(jnp.zeros(space.shape).size)
        actions = int(environment.action_space(params).n)
        return Spec(int(size), actions, int(params.max_steps_in_episode))

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[Any, Observation]:
        environment, params = _load(self.name)
        with _gymnax_promotion():
            observation, state = environment.reset_env(key, params)
            return _as_arrays(state), self._flatten(observation)

    def step(self, key: PRNGKey, task: tuple[()], state: Any, action: Action) -> Timestep:
        environment, params = _load(self.name)
        with _gymnax_promotion():
            observation, after, reward, terminated, _ = environment.step_env(
                key, state, action, params
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

    def _flatten(self, observation: Any) -> Observation:
        environment, params = _load(self.name)
        count = getattr(environment.observation_space(params), "n", None)
        if count is not None:
            return jax.nn.one_hot(observation, int(count), dtype=jnp.float32)
        return jnp.ravel(jnp.asarray(observation, jnp.float32))


@cache
def _load(name: str) -> tuple[Any, Any]:
    """The environment and its parameters, checked. Imports gymnax here because that is slow."""
    import gymnax
    from gymnax.environments import spaces

    if name not in gymnax.registered_envs:
        raise UnknownNameError("gymnax environment", name, gymnax.registered_envs)
    try:
        with jax.ensure_compile_time_eval():  # the first call may be inside jit
            environment, params = gymnax.make(name)
    except Exception as error:  # some need data files that are not installed
        raise SettingError(f"gymnax cannot make {name}: {error}") from error
    actions, observations = environment.action_space(params), environment.observation_space(params)
    if not isinstance(actions, spaces.Discrete):
        raise SettingError(
            f"gymnax:{name} has continuous actions ({type(actions).__name__}); "
            "symla's learning algorithms choose among discrete ones"
        )
    if not isinstance(observations, (spaces.Box, spaces.Discrete)):
        raise SettingError(
            f"gymnax:{name} shows {type(observations).__name__} observations; "
            "symla reads arrays (Box) and whole numbers (Discrete)"
        )
    return environment, params


@contextmanager
def _gymnax_promotion() -> Iterator[None]:
    """Allow gymnax to mix types and ranks, which the configuration of our tests forbids."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def _as_arrays(state: Any) -> Any:
    """Python numbers as arrays with a fixed type, which a scan needs."""
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.asarray(x).dtype), state)
