"""`{public} symla.load` shows what a name is called with, and its docstring, which is Markdown.

`{public-of} symla.outer` shows all that the folder offers.
"""

import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FENCE = "`" * 9


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("public", Public)
    app.add_directive("public-of", PublicOf)
    return {"parallel_read_safe": True}


class Public(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return self.parsed(described(self.arguments[0]))

    def parsed(self, text: str) -> list[nodes.Node]:
        node = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), "docstring"), 0, node)
        return node.children


class PublicOf(Public):
    def run(self) -> list[nodes.Node]:
        folder = self.arguments[0]
        names = importlib.import_module(folder).__all__
        found = [name for name in names if callable(getattr(importlib.import_module(folder), name))]
        return self.parsed("\n\n".join(described(f"{folder}.{name}") for name in found))


def described(name: str) -> str:
    """As Markdown: a function, a class with its methods, or a module."""
    folder, _, last = name.rpartition(".")
    thing = getattr(importlib.import_module(folder), last)
    if inspect.ismodule(thing):
        return domain("module", name, inspect.getdoc(thing))
    if not inspect.isclass(thing):
        return domain("function", name + signature(thing), inspect.getdoc(thing))
    parts = [inspect.getdoc(thing) or "", *(method(thing, each) for each in own_methods(thing))]
    return domain("class", name + signature(thing), "\n\n".join(parts), FENCE + "`")


def domain(kind: str, header: str, text: str | None, fence: str = FENCE) -> str:
    """An object of Sphinx's Python domain, which can be linked to and searched for."""
    if kind == "module":
        return f"{fence}{{py:module}} {header}\n{fence}\n\n{text or ''}"
    return f"{fence}{{py:{kind}}} {header}\n\n{text or ''}\n{fence}"


def own_methods(kind: type) -> Iterator[str]:
    """Public functions and properties with a docstring, of the class itself."""
    for name, member in vars(kind).items():
        is_method = callable(member) or isinstance(member, property | classmethod | staticmethod)
        if not name.startswith("_") and is_method and inspect.getdoc(getattr(kind, name)):
            yield name


def method(kind: type, name: str) -> str:
    member = getattr(kind, name)
    if isinstance(member, property):
        return domain("property", name, inspect.getdoc(member))
    return domain("method", name + signature(member, without_self=True), inspect.getdoc(member))


def signature(thing: Any, without_self: bool = False) -> str:
    """Of a call, without modules before the types, and with `...` for defaults that are no code."""
    try:
        found = inspect.signature(thing)
    except ValueError:
        return "()"
    if inspect.isclass(thing):
        found = found.replace(return_annotation=inspect.Signature.empty)
    parameters = list(found.parameters.values())
    if without_self and parameters and parameters[0].name == "self":
        found = found.replace(parameters=parameters[1:])
    text = re.sub(r"<function \w*<?\w*>? at \w+>|<[^<>]*>", "...", str(found))
    text = re.sub(r"\b(?:[A-Za-z_]\w*\.)+([A-Z]\w*)", r"\1", text).replace("'", "")
    return textwrap.shorten(text, 2000)
