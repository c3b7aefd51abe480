"""Errors that a person can fix. Each message is one line: what is wrong, where, and what to do.

Imports no jax, so that the command line can use it at once.
"""

import inspect
import os
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

OURS = str(Path(__file__).parents[1])
INSTALLED = ("site-packages", "dist-packages", str(Path(os.__file__).parent))  # in no person's path


class SymlaError(Exception):
    """An error the person can fix. The command line prints its message alone and exits with 2."""


class SettingError(SymlaError, ValueError):
    """A setting outside its range, or settings that exclude each other."""


class UnknownNameError(SymlaError, LookupError):
    """A name that is not in one of the project's dictionaries."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = ""):
        known = sorted(known)
        lower = {one.lower(): one for one in known}
        close = get_close_matches(name.lower(), lower, n=3, cutoff=0.5)
        nearest = " or ".join(repr(lower[one]) for one in close)
        suggestion = f"did you mean {nearest}? " if close else ""
        super().__init__(
            f"there is no {kind} named {name!r}: {suggestion}known: {', '.join(known)}{hint}"
        )


class SizeError(SymlaError, ValueError):
    """The weights of a learning algorithm do not fit the sizes of an environment."""


class CheckpointError(SymlaError):
    """A checkpoint or run folder that cannot be read, or does not hold what it should."""


class SchemaError(CheckpointError):
    """A checkpoint or run folder in the format of a version of symla that this one cannot read."""


class StorageError(SymlaError, OSError):
    """The disk is full, or a folder cannot be written."""

    def __str__(self) -> str:
        # OSError would put "[Errno 28]" before the message.
        return str(self.args[-1] if len(self.args) == 1 else self.strerror)


class LockedError(SymlaError):
    """Another process is writing to this run folder."""


class DivergenceError(SymlaError):
    """Training produced numbers that are not finite."""


class ProcessError(SymlaError):
    """Of processes that train together, one is missing, has ended, hangs or has other settings."""


class FaultyEnvironmentError(SymlaError):
    """An environment that raised, hung, crashed, or violated the interface it declares.

    `measured` is the Evaluation of what a test measured before the error; None if nothing.
    """

    measured: Any = None


class FaultyAlgorithmError(SymlaError):
    """A learning algorithm or an outer loop that raised, or violated its protocol."""


def require(holds: bool, message: str) -> None:
    """Raise `SettingError(message)` unless `holds`."""
    if not holds:
        raise SettingError(message)


def raised(error: BaseException) -> str:
    """What a person's code did, in one line: "raised TypeError: no map (worlds.py, line 12)"."""
    text = " ".join(str(error).split())
    text = text if len(text) <= 300 else f"{text[:297]}..."
    line = line_of(error)
    return f"raised {type(error).__name__}: {text}" + (f" ({line})" if line else "")


def line_of(error: BaseException) -> str | None:
    """The innermost line of a person's own that the error went through; None if there is none."""
    places = [(x.filename, x.lineno) for x in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    return next((_place(*place) for place in reversed(places) if is_own_file(place[0])), None)


def defined_at(thing: Any) -> str | None:
    """Where a person wrote a class, a function or a property: "worlds.py, line 12"; else None."""
    thing = inspect.unwrap(getattr(thing, "fget", getattr(thing, "__func__", thing)))
    try:
        file, (source, first) = inspect.getsourcefile(thing), inspect.getsourcelines(thing)
    except (TypeError, OSError):  # written in C, or typed into an interpreter
        return None
    if file is None or not is_own_file(file):
        return None
    words = ("class ", "def ", "async def ")
    decorators = next((n for n, x in enumerate(source) if x.lstrip().startswith(words)), 0)
    return _place(file, first + decorators)


def _place(file: str, line: int | None) -> str:
    path = Path(file)
    inside = path.is_relative_to(Path.cwd())
    return f"{path.relative_to(Path.cwd()) if inside else path}, line {line}"


def is_own_file(file: str) -> bool:
    """Whether a person wrote it: it is none of ours, of Python's and of what is installed."""
    return not file.startswith((OURS, "<")) and not any(part in file for part in INSTALLED)
