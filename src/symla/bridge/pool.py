"""Environments of Gymnasium in worker processes; an error names the environment and the step.

Threads cannot stop code that hangs, and Python's signal handlers do not run during code in C;
processes can be killed. They are new interpreters, because the fork of a process that has used jax
may deadlock, and because multiprocessing's spawn would run the person's own script again.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from multiprocessing import Pipe
from typing import Any

import numpy as np

from symla.bridge.creation import Request
from symla.bridge.exchange import DONE, STEP, CallRecord, Exchange, Messages, Sizes, Stepped
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.worker import Fault, Replayed
from symla.core.cpu import available_cores
from symla.core.errors import FaultyEnvironmentError, SettingError
from symla.core.naming import GUARD

PROGRAM = "from symla.bridge.worker import main; main({}, {})"  # of a worker
START_SECONDS = 300.0  # for a worker to start
CLOSE_SECONDS = 5.0  # for it to close its environments
PER_PROCESS = 8  # environments in a worker before another one is worth its start and its messages
# Polls in a time limit. They are counted instead of the clock's seconds, so that the sleep of a
# suspended machine does not count as a hang.
POLLS = 20


class Pool:
    """Copies of one environment, one per seed, stepped together. A context manager.

    `sizes` are those of an observation and an action. `first` is the number of the first lifetime
    in messages, from 0, and `steps` are what each has lived. `at` is for whoever replays episodes:
    what they know of where the environments are, forgotten when these move. Raises SettingError for
    spaces that are not supported and for what is not there, UnknownNameError, and
    FaultyEnvironmentError, here and in every method, for what an environment does wrong.
    """

    def __init__(self, environment: GymnasiumEnvironment, seeds: Sequence[int], first: int = 0):
        self.environment, self.seeds, self.first = environment, list(seeds), first
        self.steps = np.zeros(len(self.seeds), np.int64)
        self.at: Any = None
        source, name = environment.pickled(), environment.name
        processes = min(available_cores(), -(-len(self.seeds) // PER_PROCESS))
        self.parts = np.array_split(np.arange(len(self.seeds)), processes)
        self.workers: list[_WorkerProcess] = []
        try:
            self.workers.extend(_WorkerProcess() for _ in self.parts)  # all start at the same time
            made_of = source, environment.id, environment.module, environment.arguments
            spin = processes < available_cores()  # a core is left for each of the two sides
            requests = [Request(name, *made_of, len(part), spin) for part in self.parts]
            for worker in self.workers:
                worker.wait_until_ready()
            self.sizes: Sizes = self._call_all("make", requests)[0]
            for worker, part in zip(self.workers, self.parts):
                worker.share(len(part), self.sizes, spin)
        except BaseException:
            self.close(now=True)
            raise

    def reset(self) -> np.ndarray:
        """First observations [len(seeds), A], each environment with its own seed."""
        self.steps[:], self.at = 0, None
        answers = self._call_all("reset", [[self.seeds[i] for i in part] for part in self.parts])
        return np.concatenate(answers)

    def step(self, actions: np.ndarray, seeds: np.ndarray) -> Stepped:
        """What the actions led to: numbers [n], or [n, B] in [-1, 1] where they are continuous.

        Where an episode ended, the next begins with that environment's number of `seeds`.
        """
        self.at = None
        for worker, part in zip(self.workers, self.parts):
            worker.send_step(actions[part], seeds[part])
        answers = self._answers("step")
        self.steps += 1
        stepped = Stepped(*map(np.concatenate, zip(*answers)))  # copies: the memory is used again
        for index in np.flatnonzero(stepped.terminated | stepped.truncated):
            self.seeds[index] = int(seeds[index])
        return stepped

    def replay(self, indices: np.ndarray, actions: Sequence[np.ndarray]) -> list[Replayed]:
        """Reset the environments of these indices with their `seeds`, then take these actions."""
        self.at = None
        owned = [np.flatnonzero(np.isin(indices, part)) for part in self.parts]
        requests = [
            [(int(indices[k] - part[0]), self.seeds[indices[k]], actions[k]) for k in own.tolist()]
            for part, own in zip(self.parts, owned)
        ]
        answers = [one for part in self._call_all("replay", requests) for one in part]
        order = np.argsort(np.concatenate(owned), kind="stable")
        return [answers[k] for k in order.tolist()]

    def close(self, now: bool = False) -> None:
        """End the processes; with `now` without closing the environments first."""
        for worker in self.workers:
            worker.close(now)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type | None, *_: Any) -> None:
        self.close(now=kind is not None)

    def _call_all(self, method: str, arguments: Sequence[Any]) -> list[Any]:
        """Send every worker its request, then collect the answers: they work in parallel."""
        for worker, argument in zip(self.workers, arguments):
            worker.send(method, argument)
        return self._answers(method)

    def _answers(self, method: str) -> list[Any]:
        answers = [worker.receive(self.environment.time_limit) for worker in self.workers]
        for part, answer in zip(self.parts, answers):
            if isinstance(answer, Fault):
                raise self._error(method, int(part[answer.environment]), answer)
        return answers

    def _error(self, method: str, index: int, fault: Fault) -> Exception:
        """The exception to raise for a fault of environment `index`."""
        name = self.environment.name
        if fault.refused:
            return SettingError(fault.text)
        if fault.missing in sys.modules:
            error = FaultyEnvironmentError(
                f"{name} cannot be made: its process cannot import {fault.missing!r}, a module of "
                "this program: put what the environment needs where Python finds it (PYTHONPATH)"
            )
        elif method == "make":
            module = self.environment.module if not fault.traceback else None  # a hang, a crash
            hint = f". If it was importing {module!r}: {GUARD}" if module else ""
            error = FaultyEnvironmentError(f"{name} cannot be made: it {fault.text}{hint}")
        else:
            lived = self.steps[index]
            where = f"step {lived + 1}" if method == "step" else "its first reset"
            if method == "replay" and lived:
                where = f"step {lived}, from which its episode is replayed"
            error = FaultyEnvironmentError(
                f"{name}: {fault.text}. It was lifetime {self.first + index + 1}, at {where}; "
                f"seed {self.seeds[index]} (env.reset(seed={self.seeds[index]}))"
            )
        error.add_note(fault.traceback)  # --debug shows it
        return error


_kept: ContextVar[dict[Any, Pool] | None] = ContextVar("pools", default=None)


@contextmanager
def keep_pools() -> Iterator[None]:
    """Within this context a pool that `open_pool` made is kept, to be opened again."""
    pools: dict[Any, Pool] = {}
    token = _kept.set(pools)
    try:
        yield
    finally:
        _kept.reset(token)
        for pool in pools.values():
            pool.close()


@contextmanager
def open_pool(
    environment: GymnasiumEnvironment, seeds: Sequence[int], first: int = 0, use: str = ""
) -> Iterator[Pool]:
    """A `Pool` that is new, or was kept for this `use`. One that failed is not kept."""
    kept = _kept.get()
    if kept is None:
        with Pool(environment, seeds, first) as pool:
            yield pool
        return
    key = environment, len(seeds), use
    if key not in kept:
        kept[key] = Pool(environment, seeds, first)
    pool = kept[key]
    pool.seeds, pool.first = list(seeds), first
    try:
        yield pool
    except BaseException:
        del kept[key]
        pool.close(now=True)
        raise


class _WorkerProcess:
    """A worker process, the pipe to it, and the record of its current call."""

    def __init__(self):
        self.pipe, worker_end = Pipe()
        self.messages = Messages(self.pipe)
        self.shared = tempfile.TemporaryFile()  # noqa: SIM115 - `share` and `close` close it
        self.shared.truncate(CallRecord.SIZE)
        self.record = CallRecord(self.shared.fileno())
        files = (worker_end.fileno(), self.shared.fileno())
        here = os.getcwd()  # where a person's own environment usually is
        path = os.pathsep.join(dict.fromkeys([entry or here for entry in sys.path] + [here]))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM.format(*files)],
            pass_fds=files,
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=2,  # stdout is for results, not for what an environment prints
        )
        worker_end.close()

    def wait_until_ready(self) -> None:
        """Raises FaultyEnvironmentError."""
        if not self.messages.wait(START_SECONDS) or self._read() != "ready":
            raise FaultyEnvironmentError(
                "the worker process of the environments did not start: see its messages above"
            )

    def share(self, copies: int, sizes: Sizes, spin: bool) -> None:
        """Share the memory that steps need, once its environments are made."""
        self.exchange = Exchange(self.shared.fileno(), copies, sizes)
        self.messages.spin = spin
        self.shared.close()  # what is mapped stays

    def send_step(self, actions: np.ndarray, seeds: np.ndarray) -> None:
        """Send the request of a step, as `send` does."""
        self.exchange.actions[...], self.exchange.seeds[...] = actions, seeds
        with suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send_bytes(STEP)

    def send(self, method: str, argument: Any) -> None:
        """Send a request. If the process has ended, `receive` reports it."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send((method, argument))

    def receive(self, time_limit: float) -> Any:
        """Its answer, or a Fault if it ends, or if one call takes longer than the time limit."""
        polls, calls = 0, self.record.calls
        while not self.messages.wait(time_limit / POLLS):
            polls += 1
            if self.record.calls != calls:
                polls, calls = 0, self.record.calls
            elif polls >= POLLS:
                text = f"did not answer for {time_limit:g} s (--time-limit)"
                return Fault(self.record.index, text, "")
        return self._read()

    def _read(self) -> Any:
        try:
            message = self.pipe.recv_bytes()
            return self.exchange.stepped if message == DONE else pickle.loads(message)
        except (EOFError, ConnectionResetError):
            code = self.process.wait()
            how = f"signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"exit code {code}"
            return Fault(self.record.index, f"ended its process ({how})", "")

    def close(self, now: bool) -> None:
        """End it. Without `now` it has CLOSE_SECONDS to close its environments."""
        self.pipe.close()
        self.shared.close()
        try:
            self.process.wait(0 if now else CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
