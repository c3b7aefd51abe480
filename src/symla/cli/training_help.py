"""The help of `symla train`: a line for each option, grouped by what a person looks for."""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

WIDTH = 98
INDENT = 30


def help_text(usage: str, groups: Mapping[str, type]) -> str:
    """The usage, then each group's options with their docstrings."""
    parts = [usage]
    for title, kind in groups.items():
        parts += ["", f"{title}:", *_lines(kind)]
    return "\n".join(parts)


def _lines(kind: type) -> Iterator[str]:
    hints, docs = get_type_hints(kind), field_docs(kind)
    for field in fields(kind):
        if field.default is MISSING:  # positional: the usage has it
            continue
        option = f"  --{field.name.replace('_', '-')} {metavar(hints[field.name])}".rstrip()
        text = docs.get(field.name, "")
        if field.default not in (None, False, ""):
            text = f"{text} [{_typed(field.default)}]"
        lines = textwrap.wrap(text, WIDTH - INDENT)
        if len(option) >= INDENT:
            yield option
        else:
            lines[0] = f"{option:<{INDENT}}{lines[0]}"
            yield lines.pop(0)
        yield from (" " * INDENT + line for line in lines)


def field_docs(kind: type) -> dict[str, str]:
    """The docstring under each field: from the source, which keeps them."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, doc in zip(body.body, body.body[1:]):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant):
            found[field.target.id] = " ".join(str(doc.value.value).split())
    return found


def metavar(hint: Any) -> str:
    """What stands for the value of an option of that type."""
    options = [x for x in get_args(hint) if x is not type(None)] or [hint]
    if get_origin(hint) is Literal:
        return "|".join(get_args(hint))
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        many = kinds[-1] is Ellipsis
        return f"{metavar(kinds[0])} ..." if many else " ".join(map(metavar, kinds))
    if len(options) == 1 and options[0] is not hint:
        return metavar(options[0])
    return {int: "N", float: "X", str: "NAME", bool: ""}.get(hint, "PATH")


def _typed(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
