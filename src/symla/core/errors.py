"""What a person can get wrong, said in one line: what is wrong, where, and what to do.

Room: base layer. Imports nothing of symla, and no jax, so that the command line can use it early.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class SymlaError(Exception):
    """A fault the person can mend. The command line prints its message alone and exits with 2."""


class SettingError(SymlaError, ValueError):
    """A setting outside its range, or settings that do not go together."""


class UnknownNameError(SymlaError, LookupError):
    """A name that is not in one of the project's dictionaries."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = ""):
        known = sorted(known)
        close = get_close_matches(name.lower(), known, n=3, cutoff=0.5)
        suggestion = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
        super().__init__(
            f"there is no {kind} named {name!r}: {suggestion}known: {', '.join(known)}{hint}"
        )


class SizeError(SymlaError, ValueError):
    """A learning algorithm met an environment of a size its weights cannot take."""


class CheckpointError(SymlaError):
    """A checkpoint or run folder that cannot be read, or does not hold what it should."""


class SchemaError(CheckpointError):
    """Whole, but written by a version of symla that this one does not follow."""


class StorageError(SymlaError, OSError):
    """The disk is full, or a folder cannot be written."""

    def __str__(self) -> str:
        return str(self.args[-1] if len(self.args) == 1 else self.strerror)


class LockedError(SymlaError):
    """Another process writes in this run folder."""


class DivergenceError(SymlaError):
    """Training left the finite numbers."""


class ProcessError(SymlaError):
    """Of several processes that train together, one is missing, gone, stuck or disagrees."""


class FaultyEnvironmentError(SymlaError):
    """An environment that raised, hung, crashed, or broke its own promises.

    `measured` is what a test measured before, an Evaluation; None if that was nothing.
    """

    measured: Any = None


def require(holds: bool, message: str) -> None:
    """Raise `SettingError(message)` unless `holds`."""
    if not holds:
        raise SettingError(message)
