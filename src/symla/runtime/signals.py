"""SIGINT and SIGTERM: the first asks to stop and save, the second leaves at once.

A signal reaches Python only between two of its own steps, which in a long generation are minutes
apart. So a thread listens too: the operating system wakes it at once, whatever else runs.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STOPPED = 130  # exit code
GRACE_SECONDS = 25.0  # for the first signal to end the generation and save

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signal(hint: str = "") -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; a second one, or 25 s, ends the process.

    `hint` is said then: whoever leaves at once has no other chance to.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # only the main thread may handle signals
        return
    awake, ear = socket.socketpair()
    awake.setblocking(False)
    before = {n: signal.signal(n, lambda *_: stopped.set()) for n in _NUMBERS}
    wakeup_before = signal.set_wakeup_fd(awake.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(ear, stopped, hint), daemon=True)
    listener.start()
    try:
        yield stopped
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        awake.close()  # the listener hears the end, and ends
        listener.join()
        ear.close()


def _listen(ear: socket.socket, stopped: threading.Event, hint: str) -> None:
    if not _heard(ear):
        return
    stopped.set()
    ear.settimeout(GRACE_SECONDS)
    try:
        if not _heard(ear):
            return
        why = "a second signal: left at once"
    except TimeoutError:
        why = f"the generation did not end within {GRACE_SECONDS:.0f} s: left without it"
    with suppress(OSError):
        print(f"symla: {why}. {hint}".rstrip(), file=sys.stderr, flush=True)
    os._exit(STOPPED)


def _heard(ear: socket.socket) -> bool:
    """Wait for one of our signals; False if nobody listens for them any more."""
    while byte := ear.recv(1):
        if byte[0] in _NUMBERS:
            return True
    return False


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, as SIGINT does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
