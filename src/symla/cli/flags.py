"""The names of a command's options, from the dataclasses that hold them. Imports no jax."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, get_args, get_type_hints

import tyro

_POSITIONAL = tyro.conf.Positional[str].__metadata__[0]  # type: ignore[attr-defined]


class Flag(NamedTuple):
    """A field of options: what is typed, without dashes, and which values it takes."""

    name: str
    kind: Any  # the type of its value; bool: it takes none
    positional: bool


def flags(options: type) -> Iterator[Flag]:
    """Of a dataclass of options and of all that it nests; their second names, too."""
    hints = get_type_hints(options, include_extras=True)
    for field in fields(options):
        kind, *marks = (
            get_args(hints[field.name])
            if _is_annotated(hints[field.name])
            else (hints[field.name],)
        )
        if isinstance(kind, type) and is_dataclass(kind):
            yield from flags(kind)
            continue
        positional = _POSITIONAL in marks
        aliases = [alias for mark in marks for alias in getattr(mark, "aliases", None) or ()]
        for name in (field.name.replace("_", "-"), *(alias.lstrip("-") for alias in aliases)):
            yield Flag(name, kind, positional)
            if kind is bool:
                yield Flag(f"no-{name}", kind, positional)


def _is_annotated(hint: Any) -> bool:
    return hasattr(hint, "__metadata__")
