"""Files written whole or not at all; JSON that is checked when it is read."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from symla.core.errors import CheckpointError, StorageError, require
from symla.core.settings import fits


def write(path: Path, data: bytes, named: Path | None = None) -> None:
    """Replace `path` by `data`, so that a crash leaves either the old file or the new one.

    Raises StorageError, about `path` or what it is `named`, if the disk is full or read-only; the
    old file is then still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with naming(named or path, len(data)):
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def rename(path: Path, to: Path) -> None:
    """Put it in the place of `to`, and on the disk."""
    os.replace(path, to)
    folder = os.open(to.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)


def append(path: Path, data: bytes) -> None:
    """Add to the end of `path`. If that fails, what was there is there still, and no more.

    Raises StorageError if the disk is full or read-only.
    """
    with naming(path, len(data)), open(path, "ab", buffering=0) as file:
        size = file.tell()
        try:
            if file.write(data) < len(data):  # the disk took a part, and has no room for the rest
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


@contextmanager
def naming(path: Path, size: int) -> Iterator[None]:
    """Turns an OSError into a StorageError that names the file and, on a full disk, the space."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        room = f": {size:,} bytes are needed, and {_free(path):,} are free" if full else ""
        what = "make room there" if full else "make that folder writable"
        raise StorageError(
            error.errno,
            f"cannot write {path}: {error.strerror}{room}. What was there before is unchanged; "
            f"{what}, or use another folder, and run the command again",
        ) from error


def check_writable(path: Path) -> None:
    """Raises SettingError, before anything is measured, where `write` could write no such file."""
    folder = path.absolute().parent
    require(folder.is_dir(), f"cannot write {path}: {folder} is no folder")
    require(os.access(folder, os.W_OK), f"cannot write {path}: {folder} is not writable")
    require(not path.is_dir(), f"cannot write {path}: it is a folder")


def remove_leftovers(folder: Path) -> None:
    """Temporary files that a killed process left. Call it only where nobody else writes."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, as `write` does. Raises ValueError for NaN and infinity."""
    write(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Raises CheckpointError if the file is not there or not JSON."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # not JSON, or nested without end
        raise CheckpointError(f"{path} is damaged: it is not JSON ({error})") from error


def read_object(path: Path, **keys: type) -> dict[str, Any]:
    """A JSON object with these keys of these types. Raises CheckpointError if it is not one."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is damaged: it holds no JSON object")
    for key, kind in keys.items():
        if not fits(value.get(key), kind):
            raise CheckpointError(f"{path} is damaged: it lacks {key!r}, or it has a wrong type")
    return value


def _free(path: Path) -> int:
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return 0
