"""Whole updates of the outer loop, timed in turns so that what disturbs one disturbs all."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from symla.algorithms import SymLA
from symla.algorithms.base import LearningAlgorithm
from symla.benchmark.environments import environment_of
from symla.benchmark.literal import LiteralSymLA
from symla.benchmark.settings import Shape
from symla.devices import replicate
from symla.environments import Environment
from symla.outer import EvolutionStrategies
from symla.train import CHUNK_LIMIT, Training, advance, init, population_returns
from symla.types import State

SECONDS = 0.2  # that a timing lasts at least: the clock and the dispatch must not show
PEAK_SIZE = 2048
OURS = "ours"


def formulations(shape: Shape) -> dict[str, Training]:
    """The three ways to compute one and the same update."""
    algorithms = {
        OURS: SymLA(shape.hidden),
        "factored": SymLA(shape.hidden, backend="plain"),
        "literal": LiteralSymLA(shape.hidden),
    }
    return {name: training(shape, algorithm) for name, algorithm in algorithms.items()}


def training(
    shape: Shape, algorithm: LearningAlgorithm, environment: Environment | None = None
) -> Training:
    environment = environment or environment_of(shape.observations, shape.actions)
    outer = EvolutionStrategies(shape.population)
    return Training(algorithm, environment, outer, shape.lifetimes, shape.length, seed=0)


def updates(training: Training) -> "Stopwatch":
    """Of whole updates, exactly as meta-training runs them."""
    return Stopwatch(training, advance, init(training))


def lifetimes(training: Training) -> "Stopwatch":
    """Of the lifetimes of one population alone: nothing is asked, nothing told."""
    candidates = training.outer.ask(jax.random.key(0), init(training))
    returns = jnp.zeros(training.outer.population)
    return Stopwatch(training, live, (candidates, returns))


@partial(jax.jit, static_argnames="training", donate_argnames="state")
def live(
    training: Training, state: State, done: Int[Array, ""], count: Int[Array, ""]
) -> tuple[State, None]:
    """As `advance`, but the candidates stay the same."""
    candidates, returns = state

    def body(i, _):
        key = jax.random.fold_in(jax.random.key(training.seed), done + i)
        return population_returns(training, candidates, key)

    return (candidates, jax.lax.fori_loop(0, count, body, returns)), None


@dataclass
class Stopwatch:
    """Compiles what a Training does over and over again, and times it."""

    training: Training
    function: Callable[..., Any]  # as train.advance
    state: State
    compile_seconds: float = field(init=False)
    timings: list[float] = field(init=False, default_factory=list)  # seconds an update

    def __post_init__(self):
        self._state, self._done = replicate(self.state), 0
        begun = time.perf_counter()
        counts = _count(0), _count(1)
        self._advance = self.function.lower(self.training, self._state, *counts).compile()
        self.compile_seconds = time.perf_counter() - begun
        self._run(1)  # touches the memory
        self._updates = min(CHUNK_LIMIT, math.ceil(SECONDS / self._run(1)))

    def time(self) -> None:
        self.timings.append(self._run(self._updates))

    def _run(self, updates: int) -> float:
        begun = time.perf_counter()
        state, _ = self._advance(self._state, _count(self._done), _count(updates))
        self._state = jax.block_until_ready(state)
        self._done += updates
        return (time.perf_counter() - begun) / updates

    @property
    def seconds(self) -> float:
        """The median time of an update."""
        return float(np.median(self.timings))

    @property
    def memory(self) -> int:
        """Bytes that the compiled update needs besides its arguments and results."""
        return self._advance.memory_analysis().temp_size_in_bytes


def measure(watches: Iterable[Stopwatch], repeats: int) -> None:
    """Time each of them `repeats` times, in turns."""
    watches = list(watches)
    for _ in range(repeats):
        for watch in watches:
            watch.time()


def peak(repeats: int) -> float:
    """Floating-point operations per second of 2048 x 2048 float32 products, one on each device.

    The best of all repeats, because it stands for what the machine can do.
    """
    devices = jax.devices()
    split = NamedSharding(Mesh(np.array(devices), ("device",)), PartitionSpec("device"))
    key = jax.random.key(0)
    matrix = jax.random.normal(key, (len(devices), PEAK_SIZE, PEAK_SIZE))
    matrix = jax.device_put(matrix, split)
    product = jax.jit(lambda x: jnp.matmul(x, x, precision="highest"), out_shardings=split)
    product(matrix).block_until_ready()
    best = math.inf
    for _ in range(max(repeats, 5)):
        begun = time.perf_counter()
        product(matrix).block_until_ready()
        best = min(best, time.perf_counter() - begun)
    return len(devices) * 2 * PEAK_SIZE**3 / best


def _count(value: int) -> jax.Array:
    return replicate(jnp.asarray(value, jnp.int32))
