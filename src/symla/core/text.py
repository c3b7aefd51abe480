"""Small functions on text."""

import ast
import html
import inspect
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any


def first_line(text: str) -> str:
    """The first line of `text`, without leading and trailing space."""
    return text.strip().split("\n", 1)[0]


def summary(thing: Any) -> str:
    """The first sentence of the docstring of `thing`, in one line."""
    paragraph = " ".join(docstring(thing).partition("\n\n")[0].split())
    return re.split(r"(?<=[a-z)]\.) (?=[A-Z])", paragraph, maxsplit=1)[0]


def docstring(thing: Any) -> str:
    """Of a class or function; from its source, where `python -OO` has dropped it."""
    if sys.flags.optimize < 2:
        return inspect.cleandoc(thing.__doc__ or "")
    try:
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(thing))).body
    except (OSError, TypeError, SyntaxError):  # it was not written in a file
        return ""
    assert isinstance(body, ast.ClassDef | ast.FunctionDef)
    return ast.get_docstring(body) or ""


def brief(settings: Any) -> str:
    """A dataclass as it is made, without the fields that stand at their default."""
    changed = [
        f"{field.name}={getattr(settings, field.name)!r}"
        for field in fields(settings)
        if getattr(settings, field.name) != field.default
    ]
    return f"{type(settings).__name__}({', '.join(changed)})"


def cut(text: str, length: int) -> str:
    """At most so many characters of it."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def html_table(title: str, rows: Mapping[str, Any]) -> str:
    """What a notebook shows of an object: a title, and a row for each thing that is known."""
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(cut(str(value), 300))}</td></tr>"
        for name, value in rows.items()
        if value not in (None, "")
    )
    return f"<table><caption>{html.escape(title)}</caption>{body}</table>"


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


def sentence_list(words: Sequence[str]) -> str:
    """As in a sentence: a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
