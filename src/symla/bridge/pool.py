"""Environments of Gymnasium in processes, watched from here: whatever they do, a message names it.

Threads cannot stop code that hangs and signals do not reach code in C, so there are processes. They
are fresh interpreters, because a fork of a process that has used jax may lock up, and because
starting them runs nothing of the person's own script again.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

import cloudpickle
import numpy as np

from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.worker import Busy, Fault, Request
from symla.core.errors import FaultyEnvironmentError, SettingError

START = "from symla.bridge.worker import main; main({}, {})"
START_SECONDS = 300.0
CLOSE_SECONDS = 5.0
PER_PROCESS = 8  # environments at least, before there is a further process to start and to talk to
LOOKS = 20  # in a time limit: counted, so that a machine put to sleep is not a hang


class Pool:
    """Environments of one kind, one a seed. Use it in `with`: it ends its processes.

    `observation_size` and `action_size` are known once it is there. Raises SettingError for spaces
    that no agent takes, UnknownNameError, and FaultyEnvironmentError for all that an environment
    does wrong, then and later.
    """

    def __init__(self, environment: GymnasiumEnvironment, seeds: Sequence[int], first: int = 0):
        self.environment, self.seeds, self.first = environment, list(seeds), first
        self.steps = 0  # finished
        spec = _packed(environment)
        processes = min(_cores(), -(-len(self.seeds) // PER_PROCESS))
        self.parts = np.array_split(np.arange(len(self.seeds)), processes)
        self.workers: list[_Worker] = []
        try:
            self.workers.extend(_Worker() for _ in self.parts)  # all start at the same time
            requests = [Request(spec, environment.module, len(part)) for part in self.parts]
            for worker in self.workers:
                worker.wait_until_ready()
            self.observation_size, self.action_size = self._ask("make", requests)[0]
        except BaseException:
            self.close(now=True)
            raise

    def reset(self) -> np.ndarray:
        """First observations, each environment with its own seed."""
        self.steps = 0
        answers = self._ask("reset", [[self.seeds[i] for i in part] for part in self.parts])
        return np.concatenate(answers)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Observations, rewards, terminated, truncated. Where an episode ended, the observation is
        the first one of the next."""
        answers = self._ask("step", [actions[part] for part in self.parts])
        self.steps += 1
        return tuple(map(np.concatenate, zip(*answers)))

    def close(self, now: bool = False) -> None:
        for worker in self.workers:
            worker.close(now)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type | None, *_: Any) -> None:
        self.close(now=kind is not None)

    def _ask(self, what: str, arguments: Sequence[Any]) -> list[Any]:
        """Ask all, then listen to all, so that they work at the same time."""
        for worker, argument in zip(self.workers, arguments):
            worker.send(what, argument)
        answers = [worker.receive(self.environment.time_limit) for worker in self.workers]
        for part, answer in zip(self.parts, answers):
            if isinstance(answer, Fault):
                raise self._blame(what, int(part[answer.index]), answer)
        return answers

    def _blame(self, what: str, index: int, fault: Fault) -> Exception:
        name = self.environment.name
        if fault.unsupported:
            return SettingError(f"{name}: {fault.text}")
        if what == "make":
            error = FaultyEnvironmentError(f"{name} cannot be made: it {fault.text}")
        else:
            where = f"step {self.steps + 1}" if what == "step" else "its first reset"
            error = FaultyEnvironmentError(
                f"{name}: {fault.text}. It was lifetime {self.first + index + 1}, at {where}; "
                f"seed {self.seeds[index]} (env.reset(seed={self.seeds[index]}))"
            )
        error.add_note(fault.traceback)  # --debug shows it
        return error


class _Worker:
    """A process, the pipe to it, and what it is busy with."""

    def __init__(self):
        self.pipe, theirs = Pipe()
        with tempfile.TemporaryFile() as shared:
            shared.truncate(Busy.SIZE)
            self.busy = Busy(shared.fileno())
            files = (theirs.fileno(), shared.fileno())
            path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", START.format(*files)],
                pass_fds=files,
                env=os.environ | {"PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=2,  # what an environment prints is not the result
            )
        theirs.close()

    def wait_until_ready(self) -> None:
        if not self.pipe.poll(START_SECONDS) or self._read() != "ready":
            raise FaultyEnvironmentError("the process that should hold environments did not start")

    def send(self, what: str, argument: Any) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it is dead, as `receive` will find
            self.pipe.send((what, argument))

    def receive(self, time_limit: float) -> Any:
        """Its answer, or a Fault if it dies, or is busy with one call for over the time limit."""
        looks, calls = 0, self.busy.calls
        while not self.pipe.poll(time_limit / LOOKS):
            looks += 1
            if self.busy.calls != calls:
                looks, calls = 0, self.busy.calls
            elif looks >= LOOKS:
                text = f"did not answer for {time_limit:g} s (--time-limit)"
                return Fault(self.busy.index, text, "")
        return self._read()

    def _read(self) -> Any:
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionResetError):
            code = self.process.wait()
            how = f"signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"exit code {code}"
            return Fault(self.busy.index, f"ended its process ({how})", "")

    def close(self, now: bool) -> None:
        """Let it close its environments, for a moment, or not at all."""
        self.pipe.close()
        try:
            self.process.wait(0 if now else CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _packed(environment: GymnasiumEnvironment) -> bytes:
    try:
        return cloudpickle.dumps(environment.find())
    except (TypeError, pickle.PicklingError) as error:
        raise FaultyEnvironmentError(
            f"{environment.name} cannot be handed to another process ({error}): put it in a module "
            "that registers it, and name it gymnasium:MODULE:ID"
        ) from error


def _cores() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
