"""Our environments for everybody else: `gymnasium.make("symla/hearts-v0", size=4)`.

The one file of this folder that imports jax; nothing else of it imports this file.
"""

from functools import partial
from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium.spaces import Box, Discrete
from jaxtyping import Array, Integer

from symla.core.errors import require
from symla.core.precision import in_float32
from symla.core.settings import with_settings
from symla.core.types import Action, Continuous, Observation, State, Task, Timestep
from symla.environments import Environment, make

Number = Integer[Array, ""]
FLOAT32_MAX = float(np.finfo(np.float32).max)  # of observations, whose bounds are not known


class AsGymnasium(gymnasium.Env):
    """An environment of symla, by its name or itself, as one of Gymnasium.

    Keyword arguments are its settings, as after the commas of its name. `reset` draws the task
    anew, from the seed if there is one; `options={"new_task": False}` keeps it, for a lifetime of
    several episodes. `info` is empty. Raises UnknownNameError and SettingError as `symla.make`.
    """

    metadata = {"render_modes": []}  # noqa: RUF012, as Gymnasium has it

    def __init__(
        self, environment: str | Environment, *, render_mode: str | None = None, **settings: Any
    ):
        if isinstance(environment, str):
            environment = make(environment, **settings)
        else:
            environment = with_settings(environment, settings, type(environment).__name__)
        self.environment, self.render_mode = environment, render_mode
        spec = environment.spec
        size = (spec.observation_size,)
        self.observation_space = Box(-FLOAT32_MAX, FLOAT32_MAX, size, np.float32)
        self.action_space: Any = Discrete(spec.action.size)
        if isinstance(spec.action, Continuous):
            self.action_space = Box(-1.0, 1.0, (spec.action.size,), np.float32)
        self._t = -1  # steps in the episode; there was none yet

    @in_float32
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        task, start, self._seed = self.np_random.integers(2**32, size=3, dtype=np.uint32)
        if self._t < 0 or (options or {}).get("new_task", True):
            self._task = _sample_task(self.environment, task)
        self._state, observation = _reset(self.environment, start, self._task)
        self._t = 0
        return np.array(observation, np.float32), {}

    @in_float32
    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if self._t < 0:
            raise gymnasium.error.ResetNeeded("call env.reset() before env.step(action)")
        action = np.asarray(action, self.action_space.dtype)
        require(self.action_space.contains(action), f"{action} is no action of {self.action_space}")
        if action.ndim == 0:
            action = action.astype(np.int32)
        now = _step(self.environment, self._seed, self._t, self._task, self._state, action)
        self._state, self._t = now.state, self._t + 1
        ends = bool(now.terminated), bool(now.truncated)
        return np.array(now.observation, np.float32), float(now.reward), *ends, {}


@partial(jax.jit, static_argnames="environment")
def _sample_task(environment: Environment, seed: Number) -> Task:
    return environment.sample_task(jax.random.key(seed))


@partial(jax.jit, static_argnames="environment")
def _reset(environment: Environment, seed: Number, task: Task) -> tuple[State, Observation]:
    return environment.reset(jax.random.key(seed), task)


@partial(jax.jit, static_argnames="environment")
def _step(
    environment: Environment, seed: Number, t: Number, task: Task, state: State, action: Action
) -> Timestep:
    key = jax.random.fold_in(jax.random.key(seed), t)
    return environment.step(key, task, state, action)
