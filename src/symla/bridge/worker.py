"""A worker process that runs environments: if one hangs or crashes, this process alone ends.

`pool` starts it and sends requests over a pipe. Before each call of an environment the worker
writes its index to shared memory, where `pool` reads it if the worker hangs or crashes.
"""

import pickle
import re
import signal
import struct
import traceback
import zlib
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from symla.bridge import spaces
from symla.bridge.action_spaces import actions
from symla.bridge.creation import Request, copies
from symla.bridge.exchange import DONE, STEP, CallRecord, Exchange, Messages, Sizes, Stepped
from symla.bridge.refusals import OLD_GYM
from symla.core.errors import (
    FaultyEnvironmentError,
    SettingError,
    SymlaError,
    UnknownNameError,
    raised,
)
from symla.core.output import print_anything

END = struct.Struct("=3f")  # a reward, terminated, truncated
EXTRAS = ("box2d", "mujoco")  # of symla, for Gymnasium's of the same name

OLD_STEP = (
    "its step returns 4 values, as Gym's old interface has it; Gymnasium's returns 5: observation, "
    "reward, terminated, truncated, info. The package shimmy wraps old environments"
)
OLD_RESET = (
    "its reset is of Gym's old interface; Gymnasium's is reset(self, *, seed=None, options=None) "
    "and returns 2 values: observation, info. The package shimmy wraps old environments"
)


class Fault(NamedTuple):
    """Which environment failed, and how."""

    environment: int  # its index in its worker
    text: str  # follows the name of the environment in messages
    traceback: str
    refused: bool = False  # not at fault: the person named what is not there, or not supported
    missing: str | None = None  # the module that could not be imported


class Replayed(NamedTuple):
    """What an environment answered when an episode was begun, or lived again."""

    observation: np.ndarray  # the first one
    checksums: np.ndarray  # after the reset, and after each step up to the end of the episode


class Environments:
    """Copies of one environment, stepped one after the other.

    An environment whose episode ends is reset in the same step: the result has the last reward of
    that episode and the first observation of the next one, as in `lifetime`.
    """

    def __init__(self, request: Request, record: CallRecord):
        self.record = record
        record.begin(0)
        self.envs = copies(request, record.begin)
        self.checksums = [0] * len(self.envs)
        first = self.envs[0]
        try:
            self.observations = spaces.observations(first.observation_space, request.name)
            self.actions = actions(first.action_space)
        except SettingError as error:
            raise SettingError(f"{request.name}: {error}") from error

    @property
    def sizes(self) -> Sizes:
        """Of an observation, an action and an episode."""
        limit = None
        with suppress(Exception):  # Gymnasium copies a spec, which some settings do not survive
            limit = getattr(self.envs[0].spec, "max_episode_steps", None)
        seen, acts = self.observations, self.actions
        return Sizes(seen.size, acts.size, acts.continuous, limit, seen.one_hot)

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """First observations [copies, A], each environment with its own seed."""
        return np.stack([self._reset(i, seed) for i, seed in enumerate(seeds)])

    def step(self, chosen: np.ndarray, seeds: np.ndarray) -> Stepped:
        """What the actions led to. The seeds are those of the next episodes, should these end."""
        steps = map(self._step, range(len(chosen)), chosen, seeds.tolist())
        return Stepped(*map(np.asarray, zip(*steps)))

    def replay(self, episodes: Sequence[tuple[int, int, np.ndarray]]) -> list[Replayed]:
        """Of each (environment, seed, actions): reset it, then take the actions."""
        return [self._replay(*episode) for episode in episodes]

    def _replay(self, index: int, seed: int, actions: np.ndarray) -> Replayed:
        first = self._reset(index, seed)
        checksums = [self.checksums[index]]
        for action in actions:
            _, _, terminated, truncated, _, checksum = self._step(index, action, None)
            checksums.append(checksum)
            if terminated or truncated:
                break
        return Replayed(first, np.array(checksums, np.uint32))

    def _step(self, index: int, action: Any, next_seed: int | None) -> tuple[Any, ...]:
        """Of one environment: what `Stepped` has. Without a seed the end of an episode is left."""
        self.record.begin(index)
        answer = self.envs[index].step(self.actions.decode(action))
        if not isinstance(answer, tuple) or len(answer) != 5:
            old = isinstance(answer, tuple) and len(answer) == 4
            other = f"its step returned {_short(answer)}, not 5 values"
            raise FaultyEnvironmentError(OLD_STEP if old else other)
        observation, reward, terminated, truncated, _ = answer
        vector = final = self.observations.encode(observation)
        reward = spaces.reward(reward)
        ends = spaces.flag("terminated", terminated), spaces.flag("truncated", truncated)
        if any(ends) and next_seed is not None:
            vector = self._reset(index, next_seed)
        else:
            self._add(index, vector.data, END.pack(reward, *ends))
        return vector, reward, *ends, final, np.uint32(self.checksums[index])

    def _reset(self, index: int, seed: int) -> np.ndarray:
        self.record.begin(index)
        answer = self.envs[index].reset(seed=seed)
        if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)):
            raise FaultyEnvironmentError(OLD_RESET)
        vector = self.observations.encode(answer[0])
        self.checksums[index] = 0
        self._add(index, vector.data)
        return vector

    def _add(self, index: int, *parts: memoryview | bytes) -> None:
        """To the checksum of what this environment answered."""
        for part in parts:
            self.checksums[index] = zlib.crc32(part, self.checksums[index])

    def close(self) -> None:
        """Close all of them, whatever errors that raises."""
        for env in self.envs:
            with suppress(Exception):  # results are complete already
                env.close()


def serve(connection: Connection, file: int) -> None:
    """Make the environments, then reset and step them until the connection ends. `file` is that of
    the memory shared with the pool."""
    record = CallRecord(file)
    environments: Environments | None = None
    exchange: Exchange | None = None
    messages = Messages(connection)
    connection.send("ready")
    try:
        while True:
            message = messages.receive()
            try:
                if message == STEP:
                    assert environments and exchange
                    stepped = environments.step(exchange.actions, exchange.seeds)
                    for memory, array in zip(exchange.stepped, stepped):
                        memory[...] = array
                    connection.send_bytes(DONE)
                    continue
                name, argument = pickle.loads(message)
                answer: Any
                if name == "make":
                    environments = Environments(argument, record)
                    answer = environments.sizes
                    exchange = Exchange(file, argument.copies, answer)
                    messages.spin = argument.spin
                else:
                    answer = getattr(environments, name)(argument)
            except (Exception, SystemExit) as error:
                refused = isinstance(error, SettingError | UnknownNameError)
                missing = error.name if isinstance(error, ModuleNotFoundError) else None
                text, trace = _describe(error), traceback.format_exc()
                answer = Fault(record.index, text, trace, refused, missing)
            connection.send(answer)
    except (EOFError, OSError):  # the pool has closed the pipe
        if environments:
            environments.close()


def _describe(error: BaseException) -> str:
    """What went wrong, in one line that follows the name of the environment."""
    if isinstance(error, SymlaError):
        return str(error)
    if isinstance(error, ValueError) and "expected 5, got 4" in str(error):
        return OLD_STEP  # raised by one of Gymnasium's wrappers
    if isinstance(error, TypeError) and "reset() got an unexpected keyword" in str(error):
        return OLD_RESET
    if isinstance(error, TypeError) and "Gym is incompatible with Gymnasium" in str(error):
        return f"cannot be used as it is: {OLD_GYM}"
    if isinstance(error, gymnasium.error.DependencyNotInstalled):
        extra = re.search(r"gymnasium\[(\w+)\]", str(error))
        if extra and extra[1] in EXTRAS:
            return f"needs packages that are not installed: pip install 'symla[{extra[1]}]'"
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return f"needs a package that is not installed ({error}): try pip install {package}"
    return raised(error)


def _short(thing: Any) -> str:
    text = " ".join(str(thing).split())
    return text if len(text) <= 300 else f"{text[:297]}..."


def main(connection: int, shared: int) -> None:
    """The program of a worker process. Both arguments are file descriptors that it inherits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    print_anything()
    serve(Connection(connection), shared)
