"""One writer per run folder: a lock that names its host and process, and dies with it.

The operating system holds the lock (`flock`) and lets it go when the process ends, however it ends.
The file says in words whose it is, for the message, and for folders shared between hosts whose
file system does not carry locks from one to the other.
"""

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from symla.core.errors import LockedError
from symla.store.files import naming

_held: set[Path] = set()  # by this process


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` (made if need be). What this process holds already, it may lock again.

    Raises LockedError, naming host and process, if another one holds it.
    """
    key = path.resolve()
    if key in _held:
        yield
        return
    with naming(path, 0):
        file = open(path, "r+b", buffering=0, opener=_create)  # noqa: SIM115
    with file:
        _take(file, path)
        _held.add(key)
        try:
            yield
        finally:
            _held.discard(key)
            with suppress(OSError):  # the disk is gone, and the lock with it
                file.truncate(0)


def _create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o644)


def _take(file: BinaryIO, path: Path) -> None:
    free, owner = _flock(file), _owner(file)
    here = owner is not None and owner.get("host") == socket.gethostname()
    if free is False or (owner is not None and not (free and here)):
        who = _words(owner) if owner else "another process"
        advice = "" if free is False else f", or if it is gone delete {path}"
        raise LockedError(
            f"{path.parent} is in use by {who}, and nothing in it was touched: wait for it or "
            f"stop it{advice}, or choose another folder"
        )
    if owner is not None:
        logging.getLogger("symla").warning(
            "took over the stale lock of %s, which is gone: it was killed", _words(owner)
        )
    me = {"host": socket.gethostname(), "process": os.getpid(), "since": _now()}
    data = json.dumps(me).encode()
    with naming(path, len(data)):
        file.truncate(0)
        os.pwrite(file.fileno(), data, 0)


def _flock(file: BinaryIO) -> bool | None:
    """Whether it is ours now; None where neither system nor file system can say."""
    try:
        import fcntl  # Windows has none: there the file still warns, but nothing holds it

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def _owner(file: BinaryIO) -> dict[str, Any] | None:
    """Whoever wrote it, or None if nobody, or nothing that can be read."""
    with suppress(ValueError, RecursionError):
        owner = json.loads(os.pread(file.fileno(), 4096, 0))
        return owner if isinstance(owner, dict) else None
    return None


def _words(owner: dict[str, Any]) -> str:
    return f"process {owner.get('process')} on {owner.get('host')} (since {owner.get('since')})"


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
