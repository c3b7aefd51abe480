"""A worker process that runs environments: if one hangs or crashes, this process alone ends.

`pool` starts it and sends requests over a pipe. Before each call of an environment the worker
writes its index to shared memory, where `pool` reads it if the worker hangs or crashes.
"""

import mmap
import pickle
import signal
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from symla.bridge import spaces
from symla.core.errors import FaultyEnvironmentError, SettingError

OLD_STEP = (
    "its step returns 4 values, as Gym's old interface has it; Gymnasium's returns 5: observation, "
    "reward, terminated, truncated, info. The package shimmy wraps old environments"
)
OLD_RESET = (
    "its reset is of Gym's old interface; Gymnasium's is reset(self, *, seed=None, options=None) "
    "and returns 2 values: observation, info. The package shimmy wraps old environments"
)


class Request(NamedTuple):
    """What the environments are made from."""

    spec: bytes  # an EnvSpec, pickled
    module: str | None  # imported first
    copies: int


class Fault(NamedTuple):
    """Which environment failed, and how."""

    environment: int  # its index in its worker
    text: str  # follows the name of the environment in messages
    traceback: str
    unsupported: bool = False  # a correct environment, of a kind that symla does not support


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


class Environments:
    """Copies of one environment, stepped one after the other.

    An environment whose episode ends is reset in the same step: the result has the last reward of
    that episode and the first observation of the next one, as in `lifetime`.
    """

    def __init__(self, request: Request, record: CallRecord):
        self.record = record
        record.begin(0)
        if request.module:
            import_module(request.module)
        spec = pickle.loads(request.spec)
        self.envs: list[gymnasium.Env] = []
        for index in range(request.copies):
            record.begin(index)
            self.envs.append(gymnasium.make(spec, disable_env_checker=True))
        self.observations = spaces.observations(self.envs[0].observation_space)
        self.actions = spaces.actions(self.envs[0].action_space)

    @property
    def sizes(self) -> tuple[int, int, bool]:
        """Numbers in an observation, and actions; whether observations are one-hot."""
        return self.observations.size, self.actions.size, self.observations.one_hot

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """First observations [copies, A], each environment with its own seed."""
        return np.stack([self._reset(i, seed) for i, seed in enumerate(seeds)])

    def step(self, actions_and_seeds: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Observations, rewards, terminated, truncated, each with an axis for the copies.

        The seeds are those of the next episodes, should these end.
        """
        actions, seeds = (part.tolist() for part in actions_and_seeds)
        return tuple(map(np.asarray, zip(*map(self._step, range(len(actions)), actions, seeds))))

    def _step(
        self, index: int, action: int, next_seed: int
    ) -> tuple[np.ndarray, np.float32, bool, bool]:
        self.record.begin(index)
        answer = self.envs[index].step(action + self.actions.start)
        if not isinstance(answer, tuple) or len(answer) != 5:
            old = isinstance(answer, tuple) and len(answer) == 4
            other = f"its step returned {_short(answer)}, not 5 values"
            raise FaultyEnvironmentError(OLD_STEP if old else other)
        observation, reward, terminated, truncated, _ = answer
        vector = self.observations.encode(observation)
        reward, terminated, truncated = spaces.reward(reward), bool(terminated), bool(truncated)
        if terminated or truncated:
            vector = self._reset(index, next_seed)
        return vector, reward, terminated, truncated

    def _reset(self, index: int, seed: int) -> np.ndarray:
        self.record.begin(index)
        answer = self.envs[index].reset(seed=seed)
        if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)):
            raise FaultyEnvironmentError(OLD_RESET)
        return self.observations.encode(answer[0])

    def close(self) -> None:
        """Close all of them, whatever errors that raises."""
        for env in self.envs:
            with suppress(Exception):  # results are complete already
                env.close()


def serve(connection: Connection, record: CallRecord) -> None:
    """Make the environments, then reset and step them until the connection ends."""
    environments = None
    connection.send("ready")
    try:
        while True:
            name, argument = connection.recv()
            answer: Any
            try:
                if name == "make":
                    environments = Environments(argument, record)
                    answer = environments.sizes
                else:
                    answer = getattr(environments, name)(argument)
            except (Exception, SystemExit) as error:
                refused = isinstance(error, SettingError)
                answer = Fault(record.index, _describe(error), traceback.format_exc(), refused)
            connection.send(answer)
    except (EOFError, OSError):  # the pool has closed the pipe
        if environments:
            environments.close()


def _describe(error: BaseException) -> str:
    """What went wrong, in one line that follows the name of the environment."""
    if isinstance(error, FaultyEnvironmentError | SettingError):
        return str(error)
    if isinstance(error, ValueError) and "expected 5, got 4" in str(error):
        return OLD_STEP  # raised by one of Gymnasium's wrappers
    if isinstance(error, TypeError) and "reset() got an unexpected keyword" in str(error):
        return OLD_RESET
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return f"needs a package that is not installed ({error}): try pip install {package}"
    return f"raised {type(error).__name__}: {_short(error)}"


def _short(thing: Any) -> str:
    text = " ".join(str(thing).split())
    return text if len(text) <= 300 else f"{text[:297]}..."


def main(connection: int, record: int) -> None:
    """The program of a worker process. Both arguments are file descriptors that it inherits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    serve(Connection(connection), CallRecord(record))
