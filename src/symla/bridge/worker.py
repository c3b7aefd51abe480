"""A process that holds environments: when one of them hangs or crashes, nothing else is lost.

Started by `pool`, which it answers over a pipe. What it is busy with, it writes to memory that both
see: a process that hangs can no longer say which environment it is that hangs.
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
    """What the environments are made of."""

    spec: bytes  # an EnvSpec, pickled
    module: str | None  # imported first
    count: int


class Fault(NamedTuple):
    """Which environment failed, and how."""

    index: int
    text: str
    traceback: str
    unsupported: bool = False  # it does what it should, but not what we can use


class Busy:
    """How many calls were begun, and in which environment the last one was; shared memory."""

    SIZE = 16

    def __init__(self, file: int):
        self._numbers = memoryview(mmap.mmap(file, self.SIZE)).cast("q")

    @property
    def calls(self) -> int:
        return self._numbers[0]

    @property
    def index(self) -> int:
        return self._numbers[1]

    def enter(self, index: int) -> None:
        self._numbers[1] = index
        self._numbers[0] += 1


class Environments:
    """Environments of one kind, stepped one after the other.

    An environment whose episode ends is reset in the same step: what it answers is the first
    observation of the next episode beside the last reward of the old one, as in `lifetime`.
    """

    def __init__(self, request: Request, busy: Busy):
        self.busy = busy
        busy.enter(0)
        if request.module:
            import_module(request.module)
        spec = pickle.loads(request.spec)
        self.envs: list[gymnasium.Env] = []
        for index in range(request.count):
            busy.enter(index)
            self.envs.append(gymnasium.make(spec, disable_env_checker=True))
        self.observations = spaces.observations(self.envs[0].observation_space)
        self.actions = spaces.actions(self.envs[0].action_space)

    @property
    def sizes(self) -> tuple[int, int]:
        return self.observations.size, self.actions.size

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        return np.stack([self._reset(i, seed) for i, seed in enumerate(seeds)])

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Observations, rewards, terminated, truncated."""
        return tuple(map(np.asarray, zip(*map(self._step, range(len(actions)), actions.tolist()))))

    def _step(self, index: int, action: int) -> tuple[np.ndarray, np.float32, bool, bool]:
        self.busy.enter(index)
        answer = self.envs[index].step(action + self.actions.start)
        if not isinstance(answer, tuple) or len(answer) != 5:
            old = isinstance(answer, tuple) and len(answer) == 4
            other = f"its step returned {_short(answer)}, not 5 values"
            raise FaultyEnvironmentError(OLD_STEP if old else other)
        observation, reward, terminated, truncated, _ = answer
        vector = self.observations.encode(observation)
        reward, terminated, truncated = spaces.reward(reward), bool(terminated), bool(truncated)
        if terminated or truncated:
            vector = self._reset(index, None)
        return vector, reward, terminated, truncated

    def _reset(self, index: int, seed: int | None) -> np.ndarray:
        self.busy.enter(index)
        answer = self.envs[index].reset(seed=seed)
        if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)):
            raise FaultyEnvironmentError(OLD_RESET)
        return self.observations.encode(answer[0])

    def close(self) -> None:
        for env in self.envs:
            with suppress(Exception):  # everything measured is measured
                env.close()


def serve(connection: Connection, busy: Busy) -> None:
    """Make the environments, then reset and step them until the other side is gone."""
    environments = None
    connection.send("ready")
    try:
        while True:
            name, argument = connection.recv()
            try:
                if name == "make":
                    environments = Environments(argument, busy)
                    answer = environments.sizes
                else:
                    answer = getattr(environments, name)(argument)
            except (Exception, SystemExit) as error:
                refused = isinstance(error, SettingError)
                answer = Fault(busy.index, _describe(error), traceback.format_exc(), refused)
            connection.send(answer)
    except (EOFError, OSError):  # nobody asks any more
        if environments:
            environments.close()


def _describe(error: BaseException) -> str:
    """What went wrong, in a line, as what follows the name of the environment."""
    if isinstance(error, FaultyEnvironmentError | SettingError):
        return str(error)
    if isinstance(error, ValueError) and "expected 5, got 4" in str(error):
        return OLD_STEP  # a wrapper of Gymnasium's fell over it
    if isinstance(error, TypeError) and "reset() got an unexpected keyword" in str(error):
        return OLD_RESET
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return f"needs a package that is not here ({error}): pip install {package}, most often"
    return f"raised {type(error).__name__}: {_short(error)}"


def _short(thing: Any) -> str:
    text = " ".join(str(thing).split())
    return text if len(text) <= 300 else f"{text[:297]}..."


def main(connection: int, busy: int) -> None:
    """What the new process runs; both are files that it inherited."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    serve(Connection(connection), Busy(busy))
