"""A witness: a tiny process that says why this one ended, should jax end it without a plain word.

jax's own runtime aborts every process the moment the first one is gone, sometimes before Python
gets to speak. The witness outlives that: it sees the pipe to it close, and looks for process 0.

Room: host. No jax.
"""

import subprocess
import sys
from contextlib import suppress

_SEE = """
import socket, sys
host, port, words = sys.argv[1:]
if not sys.stdin.buffer.read():
    try:
        socket.create_connection((host, int(port)), timeout=2.0).close()
    except OSError:
        print(words, file=sys.stderr)
"""


class Witness:
    """Speaks `words` if this process ends, undismissed, while nobody listens at host:port."""

    def __init__(self, host: str, port: int, words: str):
        # In a session of its own: Ctrl-C is for this process, not for the witness.
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SEE, host, str(port), words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """There is nothing to say, or it has been said."""
        with suppress(OSError, ValueError):  # it is gone already
            self.process.stdin.write(b".")
            self.process.stdin.close()
            self.process.wait(5)
