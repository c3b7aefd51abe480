"""Several processes on many machines: they meet, agree on how many they are, and watch each other.

Process 0 listens; the others connect, and each says once a second that it lives. Whoever is
missing, gone or silent is named to all, and all end: a run that lost a part of itself would wait
for it for ever. jax alone waits minutes, names nobody, crashes on a port that is taken, and starts
with as many processes as the first one was told.

Room: host. No jax. What is read from the network is JSON, a line a message.
"""

import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from symla.core.errors import ProcessError, require
from symla.runtime.exit_reporter import Witness

BEAT_SECONDS = 1.0
SILENCE_SECONDS = 8.0  # without a beat
ANSWER_SECONDS = 4.0  # to a first word
EXIT_CODE = 2
GONE = "is gone: it was killed, or its machine or network failed"

Message = dict[str, Any]


class Line:
    """A connection that carries messages."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.reader = connection.makefile("rb")
        self.heard = time.monotonic()
        self.writing = threading.Lock()

    def send(self, message: Message) -> None:
        with self.writing, suppress(OSError):  # whoever reads notices that it is gone
            self.connection.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> Message | None:
        """The next message; None at the end of the connection, or if it is not one of ours."""
        try:
            message = json.loads(self.reader.readline(10_000))
        except (OSError, ValueError, RecursionError):
            return None
        self.heard = time.monotonic()
        return message if isinstance(message, dict) else None


class Group:
    """The processes of one run, seen from one of them."""

    def __init__(self, count: int, number: int):
        self.count, self.number = count, number
        self.lines: dict[int, Line] = {}  # of 0 to all others, of the others to 0
        self.changed = threading.Condition()
        self.verdict = ""  # why it ended
        self.witness: Witness | None = None
        self.started = self.parted = False

    def end(self, verdict: str) -> None:
        """Say to all others why it is over."""
        with self.changed:
            self.verdict = self.verdict or verdict
            self.changed.notify_all()
        for line in list(self.lines.values()):
            line.send({"end": self.verdict})
        time.sleep(0.2)  # lest the end of the connection overtake its reason

    def lost(self, verdict: str) -> None:
        """End all, this one too, wherever its main thread is. Before the start, that can speak."""
        self.verdict = self.verdict or verdict
        speaks = self.started and not self.parted
        if speaks:  # first of all: jax may end this process at any moment
            with suppress(OSError):
                print(f"symla: {self.verdict}", file=sys.stderr, flush=True)
            self.dismiss_witness()
        self.end(self.verdict)
        if speaks:
            os._exit(EXIT_CODE)

    def dismiss_witness(self) -> None:
        if self.witness is not None:
            self.witness.dismiss()

    def listen(self, number: int, line: Line) -> None:
        """To one of them, until it parts. Any message is a beat."""
        while (message := line.read()) is not None:
            if "end" in message:
                return self.lost(str(message["end"]))
            if "parted" in message:
                self.lines.pop(number, None)
                return None
        if not self.parted:
            self.lost(f"process {number} {GONE}")
        return None

    def beat(self) -> None:
        """Tell the others that this one lives, and notice those that fell silent."""
        last = time.monotonic()
        while not self.parted:
            time.sleep(BEAT_SECONDS)
            now = time.monotonic()
            for number, line in list(self.lines.items()):
                line.send({})
                if now - last > 3 * BEAT_SECONDS:  # it was this one that was away
                    line.heard = now
                elif now - line.heard > SILENCE_SECONDS:
                    silence = f"said nothing for {now - line.heard:.0f} s"
                    self.lost(f"process {number} {silence}: it is stuck, or out of reach")
            last = now

    def start(self) -> None:
        self.started = True
        for line in self.lines.values():
            line.heard = time.monotonic()
        threading.Thread(target=self.beat, daemon=True).start()

    # Process 0

    def welcome(self, server: socket.socket, port: int) -> None:
        """Whoever connects, at any time."""
        while True:
            with suppress(OSError):
                connection, _ = server.accept()
                line = Line(connection)
                arguments = line, port
                threading.Thread(target=self.greet, args=arguments, daemon=True).start()

    def greet(self, line: Line, port: int) -> None:
        line.connection.settimeout(ANSWER_SECONDS)
        hello = line.read()
        line.connection.settimeout(None)
        if hello is None or "symla" not in hello:
            line.connection.close()  # a stranger
            return
        number, count = hello.get("number"), hello.get("count")
        with self.changed:
            fault = self.fault(number, count)
            if not fault:
                self.lines[number] = line
                self.changed.notify_all()
        if fault:
            line.send({"end": fault})
            if not self.started or self.count == 1:
                self.lost(fault)
            return
        line.send({"port": port})
        self.listen(number, line)

    def fault(self, number: Any, count: Any) -> str:
        """What is wrong with one that says hello; "" if nothing."""
        if count != self.count:
            return (
                f"process {number} was started with --processes {count}, but process 0 with "
                f"--processes {self.count}: start all of them with the same number"
            )
        if number not in range(1, self.count) or number in self.lines:
            return (
                f"two processes were started with --process-id {number}: each needs its own, from "
                f"0 to {self.count - 1}"
            )
        return ""

    def gather(self, address: str, wait: float) -> None:
        """Wait for all others. Raises ProcessError, naming those that did not come."""
        with self.changed:
            self.changed.wait_for(lambda: self.verdict or len(self.lines) == self.count - 1, wait)
            missing = [str(i) for i in range(1, self.count) if i not in self.lines]
        if missing and not self.verdict:
            self.end(
                f"process {', '.join(missing)} of {self.count} did not come to {address} within "
                f"{wait:g} s: start it, and look at its messages. --wait waits longer"
            )
        if self.verdict:
            raise ProcessError(self.verdict)
        for line in self.lines.values():
            line.send({"go": True})


_group: Group | None = None


def meet(address: str, count: int, number: int, wait: float) -> int:
    """Find the other processes, and watch them from now on. Returns a port for jax.

    Raises ProcessError, naming who is missing or disagrees; SettingError for what cannot be.
    """
    global _group
    host, _, port = address.rpartition(":")
    require(
        bool(host) and port.isdecimal() and 0 < int(port) < 65536,
        f"--coordinator must be HOST:PORT, got {address!r}: the first process, and a free port "
        "there. Every process needs it, --processes N and its own --process-id from 0",
    )
    require(count >= 1, f"processes must be at least 1, got {count}")
    require(0 <= number < count, f"process-id must be between 0 and {count - 1}, got {number}")
    _group = group = Group(count, number)
    if number == 0:
        free = _listen_first(group, address, int(port))
        group.gather(address, wait)
    else:
        free = _join(group, host.strip("[]"), int(port), wait)
    group.start()
    return free


def _listen_first(group: Group, address: str, port: int) -> int:
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        server = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise ProcessError(
            f"process 0 cannot listen at {address}: {os.strerror(error.errno or 0)}. Is "
            "another run using that port? Choose another one in --coordinator, in all processes"
        ) from error
    with socket.create_server(("", 0), family=family, dualstack_ipv6=both) as other:
        free = other.getsockname()[1]
    threading.Thread(target=group.welcome, args=(server, free), daemon=True).start()
    return free


def _join(group: Group, host: str, port: int, wait: float) -> int:
    until = time.monotonic() + wait
    line = Line(_connect(host, port, until, wait))
    line.send({"symla": 1, "number": group.number, "count": group.count})
    group.lines[0] = line
    line.connection.settimeout(ANSWER_SECONDS)
    free = _answer(line, host, port)["port"]
    # Process 0 may have started later, and names whoever is missing: leave it the time to.
    line.connection.settimeout(wait + ANSWER_SECONDS)
    _answer(line, host, port)
    line.connection.settimeout(None)
    group.witness = Witness(host, port, f"symla: process 0 {GONE}")
    threading.Thread(target=group.listen, args=(0, line), daemon=True).start()
    return free


def _connect(host: str, port: int, until: float, wait: float) -> socket.socket:
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=2.0)
            connection.settimeout(None)
            return connection
        except OSError as error:
            if time.monotonic() > until:
                raise ProcessError(
                    f"process 0 did not answer at {host}:{port} within {wait:g} s ({error}): start "
                    "it, and look at its messages; or --coordinator is not its address. --wait "
                    "waits longer"
                ) from error
            time.sleep(0.2)


def _answer(line: Line, host: str, port: int) -> Message:
    message = line.read()
    if message is None:
        raise ProcessError(
            f"what answers at {host}:{port} is not process 0 of a run, or it ended at once: look "
            "at its messages, or choose another port in --coordinator, in all processes"
        )
    if "end" in message:
        raise ProcessError(str(message["end"]))
    return message


def part(reason: str = "", code: int = EXIT_CODE) -> None:
    """Leave the others: they go on after a quiet end, and stop if there is a reason.

    With a reason this process ends here: jax would wait for the others, who will not come.
    """
    if _group is None or _group.parted:
        return
    _group.parted = True
    _group.dismiss_witness()
    if not reason:
        for line in list(_group.lines.values()):
            line.send({"parted": True})
        return
    _group.end(f"process {_group.number} {reason}")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def wait_for_verdict() -> None:
    """Give the watch time to say who is gone, and to end this process."""
    if _group is not None:
        time.sleep(SILENCE_SECONDS + 2 * BEAT_SECONDS)
