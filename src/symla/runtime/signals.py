"""SIGINT and SIGTERM: the first asks to stop and save, the second ends the process at once.

Python runs a signal handler only between two bytecode instructions; a long generation is a single
call, which can take minutes. So a thread waits for signals too: the operating system wakes it at
once through `signal.set_wakeup_fd`.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

STOPPED = 130  # exit code
GRACE_SECONDS = 25.0  # after the first signal, to end the generation and save

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_interrupted = threading.Event()  # a signal came inside `interruptible`


@contextmanager
def stop_signal(hint: str = "", exits: bool = True) -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; a second one, or 25 s, ends the process.

    `hint` is printed when the process ends so: the caller cannot print it then. Without `exits` the
    process is a person's own: a second signal raises KeyboardInterrupt, as soon as Python runs.
    """
    stopped = threading.Event()
    if _interrupted.is_set():
        stopped.set()
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # only the main thread may handle signals
        return
    if not exits:
        with _own_handlers(stopped):
            yield stopped
        return
    before = {n: signal.signal(n, lambda *_: stopped.set()) for n in _NUMBERS}
    late = f"ended without saving: the generation took more than {GRACE_SECONDS:.0f} s longer"
    try:
        with _watched(stopped, GRACE_SECONDS, late, hint):
            yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _watched(stopped: threading.Event, seconds: float, late: str, hint: str = "") -> Iterator[None]:
    """A thread sees signals, too, also while a single call does not return to Python. The first
    sets `stopped`; a second one, or so many seconds, ends the process."""
    sender, receiver = socket.socketpair()  # Python writes the number of each signal to `sender`
    sender.setblocking(False)
    wakeup_before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    arguments = receiver, stopped, seconds, late, hint
    thread = threading.Thread(target=_watch, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup_before)
        sender.close()  # ends the thread
        thread.join()
        receiver.close()


@contextmanager
def _own_handlers(stopped: threading.Event) -> Iterator[None]:
    """The first signal sets `stopped`, the second raises KeyboardInterrupt."""

    def handle(number: int, frame: Any) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    before = {n: signal.signal(n, handle) for n in _NUMBERS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(
    receiver: socket.socket, stopped: threading.Event, seconds: float, late: str, hint: str
) -> None:
    """Set `stopped` at the first signal; end the process at the second, or after `seconds`."""
    if not _wait_for_signal(receiver):
        return
    stopped.set()
    receiver.settimeout(seconds)
    try:
        if not _wait_for_signal(receiver):
            return
        reason = "ended at once by a second signal"
    except TimeoutError:
        reason = late
    with suppress(OSError):
        if sys.stderr.isatty():
            print("\x1b[?25h", file=sys.stderr, end="")  # the cursor, which progress hides
        print(f"symla: {reason}. {hint}".rstrip(), file=sys.stderr, flush=True)
    os._exit(STOPPED)


def _wait_for_signal(receiver: socket.socket) -> bool:
    """True after SIGINT or SIGTERM; False once `sender` is closed. TimeoutError after a timeout."""
    while byte := receiver.recv(1):
        if byte[0] in _NUMBERS:
            return True
    return False


@contextmanager
def interruptible(seconds: float = GRACE_SECONDS) -> Iterator[None]:
    """SIGINT and SIGTERM raise KeyboardInterrupt; where a call does not return to Python, as a
    compiled lifetime of an hour, a second one, or so many seconds, ends the process.

    Raised in a callback of the garbage collector, jax's say, Python drops it: so it is remembered,
    too, and a `stop_signal` inside begins with its event set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        _interrupted.set()
        raise KeyboardInterrupt

    _interrupted.clear()
    before = {number: signal.signal(number, interrupt) for number in _NUMBERS}
    try:
        with _watched(_interrupted, seconds, "stopped in the middle of a calculation"):
            yield
    finally:
        _interrupted.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
