"""An environment of Gymnasium, by its id: looked up here, made in the processes of a `Pool`."""

import math
import os
import sys
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, cast

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator

from symla.core.errors import FaultyEnvironmentError, SettingError, UnknownNameError, require

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvCreator

PREFIX = "gymnasium:"  # of a name that a person types
INSTALL = {  # namespace of ids -> how to get them
    "ALE": 'pip install "gymnasium[atari]", then gymnasium:ale_py:ALE/NAME',
}


@dataclass(frozen=True)
class GymnasiumEnvironment:
    """Any environment of Gymnasium with Discrete actions, for tests: `meta_test(rule, this)`.

    `id` is what `gymnasium.make` takes; "module:ID" imports the module first, which registers it.
    `time_limit` is how many seconds one call of the environment may take.
    Raises SettingError for a time limit outside its range.
    """

    id: str
    time_limit: float = 60.0

    def __post_init__(self):
        require(
            0 < self.time_limit < math.inf,
            f"the time limit of a step must be a positive number of seconds, got {self.time_limit}",
        )

    @property
    def name(self) -> str:
        """As a person types it."""
        return PREFIX + self.id

    @property
    def module(self) -> str | None:
        """The module that registers the environment; None if Gymnasium does."""
        return self.id.rpartition(":")[0] or None

    def find(self) -> EnvSpec:
        """The registered spec.

        Raises UnknownNameError; SettingError for a version that Gymnasium no longer has;
        FaultyEnvironmentError for a module that cannot be imported.
        """
        if self.module:
            self._import(self.module)
        name = self.id.rpartition(":")[2]
        try:
            spec = gymnasium.spec(name)
        except gymnasium.error.DeprecatedEnv as error:
            raise SettingError(f"{self.name}: {error}") from error
        except gymnasium.error.Error as error:
            raise _UnknownIdError(self.name, name, str(error)) from error
        if isinstance(spec.entry_point, str) and spec.entry_point.startswith("__main__:"):
            creator = cast("EnvCreator", load_env_creator(spec.entry_point))  # not of a vector
            return replace(spec, entry_point=creator)
        return spec

    def _import(self, module: str) -> None:
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # where a person's own environment usually is
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            raise FaultyEnvironmentError(
                f"{self.name}: {error}. {module!r} is imported to register the environment: "
                "install what is missing, or run where it can be imported (PYTHONPATH)"
            ) from error
        except Exception as error:
            raise FaultyEnvironmentError(
                f"{self.name}: importing {module!r} raised {type(error).__name__}: {error}"
            ) from error


class _UnknownIdError(UnknownNameError):
    """No such id. Lists the nearest ids alone, because Gymnasium has hundreds, and its message."""

    def __init__(self, full: str, name: str, advice: str):
        known = [i for i in gymnasium.registry if "/" not in i or "/" in name]
        close = get_close_matches(name, known, n=3, cutoff=0.6)
        nearest = f"did you mean {' or '.join(PREFIX + i for i in close)}? " if close else ""
        install = next((line for key, line in INSTALL.items() if name.startswith(f"{key}/")), "")
        Exception.__init__(
            self,
            f"there is no environment {full}: {nearest}Gymnasium says: {advice} "
            f"{install or 'One of your own is gymnasium:MODULE:ID, where MODULE registers it'}",
        )
