"""Small functions on text."""

import os
import shlex
import sys
from pathlib import Path
from typing import Any


def first_line(text: str) -> str:
    """The first line of `text`, without leading and trailing space."""
    return text.strip().split("\n", 1)[0]


def summary(thing: Any) -> str:
    """The first line of the docstring of `thing`."""
    return first_line(thing.__doc__ or "")


def typed(path: Path) -> str:
    """A path as it is typed in a shell: one word, never an option nor the name of a rule."""
    text = str(path)
    if os.sep not in text or text.startswith("-"):
        text = os.path.join(".", text)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
        return shlex.quote(text) if text.isprintable() else _escaped(text)
    except UnicodeEncodeError:  # what the terminal cannot show cannot be copied from it
        return _escaped(text)


def _escaped(text: str) -> str:
    """In $'...', which bash, zsh and ksh read."""
    plain = [chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\x{byte:02x}"
             for byte in os.fsencode(text)]  # fmt: skip
    return f"$'{''.join(plain)}'"
