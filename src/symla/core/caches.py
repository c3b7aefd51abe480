"""Where files are cached that can be made again, such as compiled kernels."""

import os
import sys
from pathlib import Path


def cache_folder(name: str) -> Path:
    """`name` in $SYMLA_CACHE_DIR, or in the operating system's folder for a user's caches."""
    if chosen := os.environ.get("SYMLA_CACHE_DIR"):
        return Path(chosen) / name
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "symla" / name
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "symla" / name
