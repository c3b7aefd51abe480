"""An environment of Gymnasium: by its id, or of a person's own class.

Looked up here, made in the processes of a `Pool`.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from symla.bridge.pickling import portable
from symla.core.errors import SettingError, UnknownNameError, require
from symla.core.naming import parse, spell, spell_value, value

LONGEST = 1_000_000  # seconds that a call may take
PREFIX = "gymnasium:"  # of a name that a person types
INSTALL = {  # namespace of ids -> how to get them
    "ALE": 'pip install "gymnasium[atari]", then gymnasium:ale_py:ALE/NAME',
}


@dataclass(frozen=True)
class GymnasiumEnvironment:
    """Any environment of Gymnasium, for tests: `meta_test(rule, this)`; `symla.make` makes it.

    `id` is what `gymnasium.make` takes; "module:ID" imports the module first, which registers it.
    Where it is not `registered`, `id` is "package.module:CLASS", a gymnasium.Env of a person's own,
    or what messages call the pickled `source`: an EnvSpec, or an environment.
    `settings` are pairs of a name and a text, as typed after the name: keyword arguments of
    `gymnasium.make`, beside `wrappers`, package.module:Wrapper+..., and `flatten`.
    `time_limit` is how many seconds one call of the environment may take.
    Raises SettingError for a time limit outside its range.
    """

    id: str
    time_limit: float = 60.0
    settings: tuple[tuple[str, str], ...] = ()
    registered: bool = True
    source: bytes | None = field(default=None, repr=False, metadata={"stored": False})

    def __post_init__(self):
        require(
            0 < self.time_limit <= LONGEST,
            f"the time limit of a step must be a positive number of seconds, at most {LONGEST:,}, "
            f"got {self.time_limit}",
        )

    @staticmethod
    def named(
        typed: str, time_limit: float = 60.0, settings: Mapping[str, Any] | None = None
    ) -> "GymnasiumEnvironment":
        """What a person calls so: "gymnasium:ID,setting=value" or "package.module:CLASS"."""
        base, own = parse(typed)
        return GymnasiumEnvironment(
            base.removeprefix(PREFIX),
            time_limit,
            spelled(own | dict(settings or {})),
            base.startswith(PREFIX),
        )

    @property
    def name(self) -> str:
        """As a person types it."""
        return spell((PREFIX if self.registered else "") + self.id, self.arguments)

    @property
    def arguments(self) -> dict[str, Any]:
        """The settings, read."""
        return {key: value(text) for key, text in self.settings}

    @property
    def module(self) -> str | None:
        """The module that registers the environment; None if Gymnasium does."""
        return self.id.rpartition(":")[0] or None if self.registered else None

    def pickled(self) -> bytes | None:
        """What processes make copies of; None: they import `module`, then look `id` up.

        Raises UnknownNameError; SettingError for a version that Gymnasium no longer has, and for
        an object that was not stored; FaultyEnvironmentError for what cannot be pickled.
        """
        if self.source is not None:
            return self.source
        if not (self.registered or ":" in self.id):
            raise SettingError(
                f"{self.name} was handed over as an object, which is not stored: run the program "
                "that did so again, or put its class where it can be imported"
            )
        if not self.registered:
            spec = EnvSpec(self.id.rpartition(":")[2], entry_point=self.id)
        elif self.module and self.module not in sys.modules:
            return None
        else:
            spec = registered_spec(self.id, self.name)
        return portable(spec, self.name)


def spelled(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Settings as a `GymnasiumEnvironment` has them. Raises SettingError for what has no text."""
    return tuple((key, spell_value(key, x)) for key, x in settings.items())


def registered_spec(id: str, name: str) -> EnvSpec:
    """What Gymnasium has under that id; `name` is for messages.

    Raises UnknownNameError, and SettingError for a version that Gymnasium no longer has.
    """
    id = id.rpartition(":")[2]
    try:
        return gymnasium.spec(id)
    except gymnasium.error.DeprecatedEnv as error:
        raise SettingError(f"{name}: {error}") from error
    except gymnasium.error.Error as error:
        raise _UnknownIdError(name, id, str(error)) from error


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
