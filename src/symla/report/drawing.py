"""Figures under settings of our own, whatever MPLBACKEND or a person's matplotlibrc say.

No pyplot: a figure is drawn on a canvas of its own, needs no display, and changes nothing that a
person's own program plots.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

from symla.core.errors import require
from symla.store import check_writable, write

SUFFIXES = (".png", ".svg")


def _import_matplotlib() -> Any:
    """MPLBACKEND may name a backend of a notebook that is not installed here: importing fails."""
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        matplotlib = import_module("matplotlib")
        if backend:
            with suppress(ValueError):  # for the figures of a person's own
                matplotlib.rcParams["backend"] = backend
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    return matplotlib


matplotlib = _import_matplotlib()

from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
    "svg.hashsalt": "symla",  # the same figure, the same file
}


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """An empty figure, in inches; inside the block matplotlib has our settings and no others."""
    with _our_settings():
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure


def save(figure: Figure, path: Path) -> Path:
    """Write the figure, whole or not at all. Raises SettingError for what `check_path` refuses."""
    check_path(path)
    kind = path.suffix.lower().removeprefix(".")
    picture = BytesIO()
    with _our_settings():
        figure.savefig(picture, format=kind, metadata={"Date": None} if kind == "svg" else {})
    write(path, picture.getvalue())
    return path


def check_path(path: Path) -> None:
    """Raises SettingError unless a figure can be written there: its suffix says in which format."""
    require(path.suffix.lower() in SUFFIXES, f"{path} must end in {' or '.join(SUFFIXES)}")
    check_writable(path)


@contextmanager
def _our_settings() -> Iterator[None]:
    """Matplotlib's own defaults with our style, in place of a person's; put back afterwards."""
    defaults = {
        name: value
        for name, value in dict.items(matplotlib.rcParamsDefault)
        if not name.startswith("backend")
    }
    with matplotlib.rc_context({**defaults, **STYLE}):
        yield
