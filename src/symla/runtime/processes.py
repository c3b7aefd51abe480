"""Several processes on many machines: they connect, check that they agree, and watch each other.

Process 0 listens; each of the others connects to it, and all send a heartbeat once a second. If one
is missing, ends or sends no heartbeat, all others name it and end: they would otherwise wait for it
without end. jax alone waits for minutes, names no process, crashes if its port is taken, and starts
with as many processes as process 0 was told, whatever the others were told.

Imports no jax. Messages are JSON, one per line.
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
from symla.runtime.exit_reporter import ExitReporter

HEARTBEAT_SECONDS = 1.0
TIMEOUT_SECONDS = 8.0  # without a heartbeat
HANDSHAKE_SECONDS = 4.0
EXIT_CODE = 2
ENDED = "ended or cannot be reached: it was killed, or its machine or network failed"

Message = dict[str, Any]


class MessageChannel:
    """Sends and receives messages over a socket. Any thread may send; one thread reads."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.reader = connection.makefile("rb")
        self.last_received = time.monotonic()
        self.write_lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Send, or do nothing if the connection has ended, which the reading thread reports."""
        with self.write_lock, suppress(OSError):
            self.connection.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> Message | None:
        """The next message; None at the end of the connection, and for what is not a message."""
        try:
            message = json.loads(self.reader.readline(10_000))
        except (OSError, ValueError, RecursionError):
            return None
        self.last_received = time.monotonic()
        return message if isinstance(message, dict) else None


class ProcessGroup:
    """The processes of one run, as one of them sees them. `number` is its own, from 0."""

    def __init__(self, count: int, number: int):
        self.count, self.number = count, number
        # Process 0 has a channel to each of the others; the others have one to process 0.
        self.channels: dict[int, MessageChannel] = {}
        self.changed = threading.Condition()  # of `channels` or `reason`
        self.reason = ""  # why the group ended
        self.exit_reporter: ExitReporter | None = None
        self.started = self.left = False

    def end(self, reason: str) -> None:
        """Tell all others that the group ends, and why."""
        with self.changed:
            self.reason = self.reason or reason
            self.changed.notify_all()
        for channel in list(self.channels.values()):
            channel.send({"end": self.reason})
        time.sleep(0.2)  # so that the message arrives before the connection ends

    def fail(self, reason: str) -> None:
        """End the group and, if it had started, this process, whatever its main thread does.

        Before the start `wait_for_all` raises the reason instead.
        """
        self.reason = self.reason or reason
        exits = self.started and not self.left
        if exits:  # print first: jax may abort this process at any moment
            with suppress(OSError):
                print(f"symla: {self.reason}", file=sys.stderr, flush=True)
            self.cancel_exit_reporter()
        self.end(self.reason)
        if exits:
            os._exit(EXIT_CODE)

    def cancel_exit_reporter(self) -> None:
        """Nothing is left for it to report."""
        if self.exit_reporter is not None:
            self.exit_reporter.cancel()

    def receive(self, number: int, channel: MessageChannel) -> None:
        """Read the messages of process `number` until it leaves. Any message is a heartbeat."""
        while (message := channel.read()) is not None:
            if "end" in message:
                return self.fail(str(message["end"]))
            if "leave" in message:
                self.channels.pop(number, None)
                return None
        if not self.left:
            self.fail(f"process {number} {ENDED}")
        return None

    def send_heartbeats(self) -> None:
        """Send heartbeats, and fail if another process sends none for TIMEOUT_SECONDS."""
        last = time.monotonic()
        while not self.left:
            time.sleep(HEARTBEAT_SECONDS)
            now = time.monotonic()
            for number, channel in list(self.channels.items()):
                channel.send({})
                if now - last > 3 * HEARTBEAT_SECONDS:  # this process itself was suspended
                    channel.last_received = now
                elif (silent := now - channel.last_received) > TIMEOUT_SECONDS:
                    self.fail(
                        f"process {number} sent nothing for {silent:.0f} s: it hangs, or its "
                        "machine or network failed"
                    )
            last = now

    def start(self) -> None:
        """Start to watch the others."""
        self.started = True
        for channel in self.channels.values():
            channel.last_received = time.monotonic()
        threading.Thread(target=self.send_heartbeats, daemon=True).start()

    # Process 0

    def accept_connections(self, server: socket.socket, port: int) -> None:
        """Accept connections as long as the process runs; `port` is jax's, sent to each process."""
        while True:
            with suppress(OSError):
                connection, _ = server.accept()
                arguments = MessageChannel(connection), port
                threading.Thread(target=self.accept, args=arguments, daemon=True).start()

    def accept(self, channel: MessageChannel, port: int) -> None:
        """Check what the other process was told, and then read its messages until it leaves."""
        channel.connection.settimeout(HANDSHAKE_SECONDS)
        handshake = channel.read()
        channel.connection.settimeout(None)
        if handshake is None or "symla" not in handshake:
            channel.connection.close()  # another program
            return
        number: Any = handshake.get("number")  # whatever the other one sent: checked first
        count = handshake.get("count")
        with self.changed:
            error = self.handshake_error(number, count)
            if not error:
                self.channels[number] = channel
                self.changed.notify_all()
        if error:
            channel.send({"end": error})
            if not self.started or self.count == 1:
                self.fail(error)
            return
        channel.send({"port": port})
        self.receive(number, channel)

    def handshake_error(self, number: Any, count: Any) -> str:
        """What contradicts this group in the settings of a process that connects; "" if nothing."""
        if count != self.count:
            return (
                f"process {number} was started with --processes {count}, but process 0 with "
                f"--processes {self.count}: start all of them with the same number"
            )
        if number not in range(1, self.count) or number in self.channels:
            return (
                f"two processes were started with --process-id {number}: each needs its own, from "
                f"0 to {self.count - 1}"
            )
        return ""

    def wait_for_all(self, address: str, wait: float) -> None:
        """Wait up to `wait` seconds for all others. Raises ProcessError, naming missing ones."""
        with self.changed:
            complete = self.count - 1
            self.changed.wait_for(lambda: self.reason or len(self.channels) == complete, wait)
            missing = [str(i) for i in range(1, self.count) if i not in self.channels]
        if missing and not self.reason:
            self.end(
                f"process {', '.join(missing)} of {self.count} did not connect to {address} within "
                f"{wait:g} s: start it, and look at its messages. --wait waits longer"
            )
        if self.reason:
            raise ProcessError(self.reason)
        for channel in self.channels.values():
            channel.send({"start": True})


_group: ProcessGroup | None = None


def connect(address: str, count: int, number: int, wait: float) -> int:
    """Connect to the other processes, and watch them from now on. Returns a port for jax.

    Raises ProcessError, naming the processes that are missing or disagree; SettingError for
    settings outside their range.
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
    _group = group = ProcessGroup(count, number)
    if number == 0:
        jax_port = _start_server(group, address, int(port))
        group.wait_for_all(address, wait)
    else:
        jax_port = _join(group, host.strip("[]"), int(port), wait)
    group.start()
    return jax_port


def _start_server(group: ProcessGroup, address: str, port: int) -> int:
    """Accept connections in a thread. Returns a free port for jax."""
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
        jax_port = other.getsockname()[1]
    threading.Thread(target=group.accept_connections, args=(server, jax_port), daemon=True).start()
    return jax_port


def _join(group: ProcessGroup, host: str, port: int, wait: float) -> int:
    """Connect to process 0 and wait until it has all processes. Returns the port for jax."""
    channel = MessageChannel(_open_connection(host, port, time.monotonic() + wait, wait))
    channel.send({"symla": 1, "number": group.number, "count": group.count})
    group.channels[0] = channel
    channel.connection.settimeout(HANDSHAKE_SECONDS)
    jax_port = _read_reply(channel, host, port)["port"]
    # Process 0 may have started later than this one, and waits `wait` seconds for missing ones.
    channel.connection.settimeout(wait + HANDSHAKE_SECONDS)
    _read_reply(channel, host, port)
    channel.connection.settimeout(None)
    group.exit_reporter = ExitReporter(host, port, f"symla: process 0 {ENDED}")
    threading.Thread(target=group.receive, args=(0, channel), daemon=True).start()
    return jax_port


def _open_connection(host: str, port: int, until: float, wait: float) -> socket.socket:
    """Try until the monotonic time `until`. Raises ProcessError."""
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


def _read_reply(channel: MessageChannel, host: str, port: int) -> Message:
    """The next message of process 0. Raises ProcessError if there is none, or it is an end."""
    message = channel.read()
    if message is None:
        raise ProcessError(
            f"what answers at {host}:{port} is not process 0 of a run, or it ended at once: look "
            "at its messages, or choose another port in --coordinator, in all processes"
        )
    if "end" in message:
        raise ProcessError(str(message["end"]))
    return message


def leave(reason: str = "", code: int = EXIT_CODE) -> None:
    """Leave the group. Without a reason the others go on; with one they end, and so does this one.

    With a reason it does not return but exits with `code`: jax would wait for the others, which
    end. Does nothing without a group, or after the first call.
    """
    if _group is None or _group.left:
        return
    _group.left = True
    _group.cancel_exit_reporter()
    if not reason:
        for channel in list(_group.channels.values()):
            channel.send({"leave": True})
        return
    _group.end(f"process {_group.number} {reason}")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def wait_for_failure() -> None:
    """Wait as long as it takes to detect that a process ended; `fail` then ends this one too."""
    if _group is not None:
        time.sleep(TIMEOUT_SECONDS + 2 * HEARTBEAT_SECONDS)
