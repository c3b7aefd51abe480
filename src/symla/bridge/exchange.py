"""Memory that a pool shares with a worker process: what is called, and what a step needs.

Steps are by far the most calls. Their arrays lie here, so that a step sends two short messages and
nothing is pickled; the messages order the two sides, the memory needs no lock.
"""

import mmap
import select
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np

STEP, DONE = b"step", b"done"  # no pickle begins so
# How long to ask for a message before sleeping: to wake up takes longer than most steps.
SPIN = 300e-6
# Messages that are slept for after this process lost its core while it asked: others need it.
PATIENCE = 1000


class Sizes(NamedTuple):
    """How many numbers there are in an observation, and in an action, if it is continuous."""

    observation: int
    action: int  # otherwise how many actions there are
    continuous: bool
    episode_length: int | None  # after how many steps an episode is truncated
    one_hot: bool  # whether every observation is


class Stepped(NamedTuple):
    """What a step of some environments led to, with an axis for them."""

    observation: np.ndarray  # [n, A]; where an episode ended, the first one of the next
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    final_observation: np.ndarray  # [n, A], before any reset
    checksum: np.ndarray  # of all answers since the reset of the episode under way


class CallRecord:
    """The number of calls of environments so far, and the index of the last one. Shared memory."""

    SIZE = 16  # bytes

    def __init__(self, file: int):
        self._numbers = memoryview(mmap.mmap(file, self.SIZE)).cast("q")

    @property
    def calls(self) -> int:
        """How many calls have begun."""
        return self._numbers[0]

    @property
    def index(self) -> int:
        """Of the environment that was called last."""
        return self._numbers[1]

    def begin(self, index: int) -> None:
        """Record that a call of environment `index` begins."""
        self._numbers[1] = index
        self._numbers[0] += 1


class Exchange:
    """Actions and seeds of the next step of `copies` environments, and what it led to: arrays in
    the file of the call record, behind it."""

    def __init__(self, file: int, copies: int, sizes: Sizes):
        seen = copies, sizes.observation
        action = ((copies, sizes.action), np.float32) if sizes.continuous else (copies, np.int64)
        fields: list[tuple[tuple[int, ...] | int, type]] = [
            action, (copies, np.int64),
            (seen, np.float32), (copies, np.float32), (copies, np.bool_), (copies, np.bool_),
            (seen, np.float32), (copies, np.uint32),
        ]  # fmt: skip
        sizes_in_bytes = [int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in fields]
        starts = np.cumsum([CallRecord.SIZE] + [-(-size // 8) * 8 for size in sizes_in_bytes])
        # Both sides make it as long; what is there already stays.
        with open(file, "r+b", closefd=False) as shared:
            shared.truncate(int(starts[-1]))
        memory = mmap.mmap(file, int(starts[-1]))
        arrays = [
            np.ndarray(shape, kind, memory, offset=int(start))
            for (shape, kind), start in zip(fields, starts)
        ]
        self.actions, self.seeds = arrays[:2]
        self.stepped = Stepped(*arrays[2:])


class Messages:
    """What comes over a connection. With `spin` it is asked for messages for a while before this
    process sleeps: for whoever has a core of its own, and is answered soon."""

    def __init__(self, connection: Connection, spin: bool = False):
        self.connection, self.spin = connection, spin
        self._patience = 0
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)

    def wait(self, seconds: float | None) -> bool:
        """Whether there is a message, or the end, within so many seconds; None: however long."""
        self._patience = max(0, self._patience - 1)
        if self.spin and not self._patience and self._spun():
            return True
        return bool(self._poll.poll(None if seconds is None else seconds * 1000.0))

    def _spun(self) -> bool:
        """Whether a message came within SPIN."""
        now = start = time.perf_counter()
        while now - start < SPIN:
            if self._poll.poll(0):
                return True
            before, now = now, time.perf_counter()
            if now - before > SPIN:
                self._patience = PATIENCE
        return False

    def receive(self) -> bytes:
        """The next message. Raises EOFError and OSError at the end of the connection."""
        self.wait(None)
        return self.connection.recv_bytes()
