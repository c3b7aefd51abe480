"""Matplotlib as our figures use it: a canvas and a style of our own, never pyplot.

So they are drawn, and look, the same whatever backend the environment names (a notebook's, say),
whatever a person's matplotlibrc sets, and whatever figures the program around has open.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from symla.core.caches import cache_folder, has_home


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    """Within it that variable has that value; None: it is not set."""
    before = os.environ.pop(name, None)
    os.environ |= {name: value} if value is not None else {}
    try:
        yield
    finally:
        os.environ.pop(name, None)
        os.environ |= {name: before} if before is not None else {}


# It cannot be imported with a backend that it does not know. Of a user without a home it would say
# what `cache_folder` says.
_folder = os.environ.get("MPLCONFIGDIR") or (
    None if has_home() else str(cache_folder("matplotlib"))
)
with _environment("MPLBACKEND", None), _environment("MPLCONFIGDIR", _folder):
    import matplotlib
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

__all__ = ["Figure", "FuncAnimation", "our_style"]

STYLE: dict[str, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
}


@contextmanager
def our_style() -> Iterator[None]:
    """Within it matplotlib has its own defaults and STYLE: make figures, and save them, there."""
    with warnings.catch_warnings():  # some settings are deprecated: we set none of them ourselves
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, **STYLE}
        settings = {name: value for name, value in settings.items() if "backend" not in name}
        with matplotlib.rc_context(settings):
            yield
