"""Figures to files, in the format that a path's suffix says: refused early, written whole."""

from io import BytesIO
from pathlib import Path

from symla.core.errors import require
from symla.report.drawing import Figure, matplotlib, our_style
from symla.store import check_writable, write

SUFFIXES = (".png", ".svg")


def check_path(path: Path) -> None:
    """Raises SettingError unless a figure can be written there."""
    require(path.suffix.lower() in SUFFIXES, f"{path} must end in {' or '.join(SUFFIXES)}")
    check_writable(path)


def save(figure: Figure, path: Path) -> Path:
    """Write the figure; the same one gives the same file. Raises SettingError as `check_path`."""
    check_path(path)
    kind = path.suffix.lower().removeprefix(".")
    no_date = {"Date": None} if kind == "svg" else {}
    picture = BytesIO()
    with our_style(), matplotlib.rc_context({"svg.hashsalt": "symla"}):
        figure.savefig(picture, format=kind, metadata=no_date)
    write(path, picture.getvalue())
    return path
