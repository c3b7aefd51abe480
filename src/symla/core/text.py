"""Small functions on text."""

from typing import Any


def first_line(text: str) -> str:
    """The first line of `text`, without leading and trailing space."""
    return text.strip().split("\n", 1)[0]


def summary(thing: Any) -> str:
    """The first line of the docstring of `thing`."""
    return first_line(thing.__doc__ or "")
