"""Where files are cached that can be made again, such as compiled kernels."""

import logging
import os
import sys
import tempfile
from functools import cache
from pathlib import Path


def cache_folder(name: str) -> Path:
    """`name` in $SYMLA_CACHE_DIR, or in the operating system's folder for a user's caches.

    A user without a home (in a container, say) has a folder that lasts as long as the process.
    """
    if chosen := os.environ.get("SYMLA_CACHE_DIR"):
        return Path(chosen) / name
    if sys.platform != "darwin" and (root := os.environ.get("XDG_CACHE_HOME")):
        return Path(root) / "symla" / name
    if not has_home():
        return Path(_temporary().name) / name
    caches = Path("Library", "Caches") if sys.platform == "darwin" else Path(".cache")
    return Path.home() / caches / "symla" / name


def has_home() -> bool:
    """Whether this user has: from HOME, or from the system's list of users."""
    try:
        return bool(Path.home())
    except RuntimeError:
        return False


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    """One for this process, removed at its end."""
    logging.getLogger("symla").warning(
        "this user has no home, so nothing that was compiled is kept for the next command: set "
        "SYMLA_CACHE_DIR to a folder that it may write to"
    )
    return tempfile.TemporaryDirectory(prefix="symla-")
