"""Importing matplotlib, whoever imports it, whatever the environment says of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from symla.core.caches import cache_folder, has_home


@contextmanager
def matplotlib_importable() -> Iterator[None]:
    """Within it matplotlib, and what imports it, gymnax say, can be imported for the first time.

    It raises where MPLBACKEND names a backend that is not installed here, a notebook's say, and
    complains of a user without a home, as `cache_folder` does already.
    """
    before = {name: os.environ.get(name) for name in ("MPLBACKEND", "MPLCONFIGDIR")}
    os.environ.pop("MPLBACKEND", None)
    if not (before["MPLCONFIGDIR"] or has_home()):
        os.environ["MPLCONFIGDIR"] = str(cache_folder("matplotlib"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({name: value} if value is not None else {})
