"""A process that prints why this one ended, in case jax ends it before Python can print.

jax's runtime aborts every process as soon as it cannot reach the first one, sometimes before Python
code runs again. The reporter is a process of its own: it detects the abort by the end of its
standard input, and then checks whether process 0 can still be reached.
"""

import subprocess
import sys
from contextlib import suppress

_PROGRAM = """
import socket, sys
host, port, message = sys.argv[1:]
if not sys.stdin.buffer.read():
    try:
        socket.create_connection((host, int(port)), timeout=2.0).close()
    except OSError:
        print(message, file=sys.stderr)
"""


class ExitReporter:
    """Prints `message` to stderr if this process ends before `cancel`, and host:port is closed."""

    def __init__(self, host: str, port: int, message: str):
        # In a session of its own, so that Ctrl-C does not reach it.
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, host, str(port), message],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def cancel(self) -> None:
        """End the reporter; it prints nothing."""
        pipe = self.process.stdin
        assert pipe is not None
        with suppress(OSError, ValueError):  # it has ended already
            pipe.write(b".")
            pipe.close()
            self.process.wait(5)
