"""`{command-options}` shows each command with its options, from the dataclasses that hold them."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from symla.cli.completion import OPTIONS
from symla.cli.flags import flags
from symla.cli.main import COMMANDS
from symla.cli.training_help import field_docs, metavar
from symla.core.text import docstring, summary


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("command-options", CommandOptions)
    return {"parallel_read_safe": True}


class CommandOptions(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        node = nodes.container()
        lines = "\n".join(text for name in OPTIONS for text in command(name)).splitlines()
        self.state.nested_parse(StringList(lines, "options"), 0, node, match_titles=True)
        return node.children


def command(name: str) -> Iterator[str]:
    """As Markdown: what it is for, how it is typed, a table of its options."""
    purpose, _, usage = docstring(COMMANDS[name]).partition(": ")
    yield f"## symla {name}\n\n{purpose.split(chr(10))[0]}.\n\n    {usage.splitlines()[0]}\n"
    for kind in OPTIONS[name]:
        if len(OPTIONS[name]) > 1:
            yield f"{summary(kind)}\n"
        yield "| | | default |\n|---|---|---|"
        yield from rows(kind)
        yield ""


def rows(kind: type) -> Iterator[str]:
    """One for each field, those of nested dataclasses too."""
    hints, positional = get_type_hints(kind), {f.name for f in flags(kind) if f.positional}
    docs = {name: doc for base in kind.__mro__[:-1] for name, doc in field_docs(base).items()}
    for field in fields(kind):
        hint = hints[field.name]
        if isinstance(hint, type) and is_dataclass(hint):
            yield from rows(hint)
            continue
        name = field.name.replace("_", "-")
        typed = name.upper() if name in positional else f"--{name} {metavar(hint)}".rstrip()
        cells = f"`{typed}`", docs.get(field.name, ""), default(field.default)
        row = " | ".join(cell.replace("|", r"\|") for cell in cells)
        yield f"| {row} |"


def default(value: Any) -> str:
    if value is MISSING or value is None or value is False or value in ("", ()):
        return ""
    return f"`{' '.join(map(str, value)) if isinstance(value, tuple) else value}`"
