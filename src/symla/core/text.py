"""Small functions on text."""

from typing import Any


def first_line(text: str) -> str:
    """Its first line, without space around it."""
    return text.strip().split("\n", 1)[0]


def summary(thing: Any) -> str:
    """The first line of its docstring."""
    return first_line(thing.__doc__ or "")
