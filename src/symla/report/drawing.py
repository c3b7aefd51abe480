"""Matplotlib as our figures use it: a canvas and a style of our own, never pyplot.

So they are drawn, and look, the same whatever backend the environment names (a notebook's, say),
whatever a person's matplotlibrc sets, and whatever figures the program around has open.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from symla.core.matplotlib_import import matplotlib_importable

with matplotlib_importable():
    import matplotlib
    from matplotlib import colormaps
    from matplotlib.animation import FuncAnimation
    from matplotlib.figure import Figure

__all__ = ["Figure", "FuncAnimation", "below", "colormaps", "our_style"]

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


def below(figure: Figure, handles: Sequence[Any]) -> None:
    """A legend under the axes, where it hides nothing."""
    longest = max((len(str(each.get_label())) for each in handles), default=0)
    columns = 1 if longest > 45 else 2 if longest > 25 else 3
    figure.legend(handles=[*handles], loc="outside lower center", ncols=columns, fontsize=8)
