"""Tables on a terminal, with colours; in a file or a pipe, aligned plain columns."""

from collections.abc import Sequence

from rich.console import Console
from rich.status import Status
from rich.table import Table

console = Console(highlight=False)


def working(text: str) -> Status:
    """Within it, a terminal says that something goes on, for compiling takes seconds; anything else
    says nothing. Its `update` changes the text."""
    return Console(stderr=True, highlight=False).status(text, spinner="line")


def print_table(console: Console, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with colours on a terminal, aligned plain columns elsewhere."""
    if console.is_terminal:
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
        for i, name in enumerate(header):
            table.add_column(name, overflow="fold", no_wrap=i == 0)
        for row in rows:
            table.add_row(*row)
        console.print(table, highlight=False, markup=False)
        return
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    for row in (header, *rows):
        print("   ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
