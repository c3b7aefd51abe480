"""Times whole updates of the outer loop, in turns, so that other load affects all of them alike."""

import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from inspect import unwrap
from typing import Any, Literal
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from symla.algorithms import SymLA
from symla.algorithms.base import LearningAlgorithm
from symla.bench.literal import LiteralSymLA
from symla.bench.shapes import Shape
from symla.bench.workloads import environment_of
from symla.core.types import PRECISION, PRNGKey, State
from symla.environments import Environment
from symla.outer import Candidates, EvolutionStrategies
from symla.outer.returns import population_returns
from symla.runtime.devices import replicate, use_devices
from symla.training.generation import Training, init
from symla.training.loop import CHUNK_LIMIT, advance

SECONDS = 0.2  # of a timing at least, so that clock resolution and dispatch are negligible
PEAK_SIZE = 2048  # rows and columns of the matrices
Kernels = Literal["auto", "plain"]
"""Whether kernels are used where there are any, or none."""
OURS, FACTORED, LITERAL, SHARDED = "ours", "factored", "literal", "literal, sharded"


def formulations(shape: Shape) -> dict[str, Training]:
    """The three formulations of the same update."""
    algorithms: dict[str, LearningAlgorithm] = {
        OURS: SymLA(shape.hidden),
        FACTORED: SymLA(shape.hidden, backend="plain"),
        LITERAL: LiteralSymLA(shape.hidden),
    }
    return {name: training(shape, algorithm) for name, algorithm in algorithms.items()}


def training(
    shape: Shape, algorithm: LearningAlgorithm, environment: Environment | None = None
) -> Training:
    """Evolution strategies with the sizes of `shape`, by default on `environment_of` them."""
    environment = environment or environment_of(shape.observations, shape.actions)
    outer = EvolutionStrategies(shape.population)
    return Training(algorithm, (environment,), outer, shape.lifetimes, shape.length, seed=0)


def updates_timer(training: Training, kernels: Kernels = "auto") -> "Timer":
    """Times whole updates exactly as meta-training runs them; "plain": without any kernel."""
    return Timer(training, advance, init(training), kernels=kernels)


def single_program_timer(training: Training) -> "Timer":
    """Times whole updates with `vmap` and `jit` alone: one program on one device.

    That device has all cores, and XLA distributes its operations over them.
    """
    one = jax.local_devices()[:1]

    def vmapped(training, *arguments):  # not `advance` itself, so that jit traces it anew
        with use_devices(one):
            return unwrap(advance)(training, *arguments)

    def place(state):
        with use_devices(one):
            return replicate(state)

    function = jax.jit(vmapped, static_argnums=0)
    return Timer(training, function, init(training), place, "plain")


def lifetimes_timer(training: Training) -> "Timer":
    """Times the lifetimes of one population alone, without ask and tell."""
    population = training.outer.population
    params = training.algorithm.init_params(jax.random.key(0), training.environments[0].spec)
    stacked = jax.tree.map(lambda x: jnp.broadcast_to(x, (population, *x.shape)), params)
    candidates = Candidates(stacked, group=jnp.arange(population // 2))  # pairs, as in ES
    return Timer(training, evaluate_repeatedly, (candidates, jnp.zeros(population)))


@partial(jax.jit, static_argnames="training", donate_argnames="state")
def evaluate_repeatedly(
    training: Training, key: PRNGKey, state: State, done: Int[Array, ""], count: Int[Array, ""]
) -> tuple[State, None]:
    """Evaluates the same candidates `count` times. Arguments as of `advance`."""
    candidates, returns = state

    def body(i, _):
        own_key = jax.random.fold_in(key, done + i)
        return population_returns(training, training.environments[0], candidates, own_key)

    return (candidates, jax.lax.fori_loop(0, count, body, returns)), None


@dataclass
class Timer:
    """Compiles a function that a Training repeats, and times it."""

    training: Training
    function: jax.stages.Wrapped  # with the arguments of `advance`
    state: State
    place: Callable[[State], State] = replicate  # puts arrays on the devices
    kernels: Kernels = "auto"
    compile_seconds: float = field(init=False)
    timings: list[float] = field(init=False, default_factory=list)  # seconds per update

    def __post_init__(self):
        self._state, self._done = self.place(self.state), 0
        self._key = self.place(jax.random.key(self.training.seed))
        start = time.perf_counter()
        counts = self._count(0), self._count(1)
        with self._kernel_choice():
            lowered = self.function.lower(self.training, self._key, self._state, *counts)
        self._advance = lowered.compile()
        self.compile_seconds = time.perf_counter() - start
        self._run(1)  # warm-up: the first run allocates memory
        self._updates = min(CHUNK_LIMIT, math.ceil(SECONDS / self._run(1)))

    def _kernel_choice(self) -> AbstractContextManager[Any]:
        """The context in which to trace the function, because tracing chooses kernels."""
        if self.kernels == "plain":
            return mock.patch.dict(os.environ, SYMLA_KERNEL="plain")
        return nullcontext()

    def time(self) -> None:
        """Add a timing of at least SECONDS."""
        self.timings.append(self._run(self._updates))

    def _run(self, updates: int) -> float:
        start = time.perf_counter()
        counts = self._count(self._done), self._count(updates)
        state, _ = self._advance(self._key, self._state, *counts)
        self._state = jax.block_until_ready(state)
        self._done += updates
        return (time.perf_counter() - start) / updates

    def _count(self, value: int) -> jax.Array:
        return self.place(jnp.asarray(value, jnp.int32))

    @property
    def seconds(self) -> float:
        """The median time of an update."""
        return float(np.median(self.timings))

    @property
    def memory(self) -> int:
        """Bytes of temporary memory of the compiled function."""
        analysis = self._advance.memory_analysis()
        assert analysis is not None  # on CPUs and GPUs there is one
        return analysis.temp_size_in_bytes


class PeakFlops:
    """The machine's highest speed in 2048 x 2048 float32 products, one per device at a time."""

    def __init__(self):
        self.flops = 0.0  # floating-point operations per second of the fastest product so far
        mesh = Mesh(np.array(jax.devices()), ("device",))
        split = NamedSharding(mesh, PartitionSpec("device"))
        shape = (mesh.size, PEAK_SIZE, PEAK_SIZE)
        self._matrices = jax.device_put(jax.random.normal(jax.random.key(0), shape), split)
        self._product = jax.jit(partial(jnp.matmul, precision=PRECISION), out_shardings=split)
        self._product(self._matrices, self._matrices).block_until_ready()

    def time(self) -> None:
        """Time three products; the fastest counts, because other load only slows them down."""
        for _ in range(3):
            start = time.perf_counter()
            self._product(self._matrices, self._matrices).block_until_ready()
            seconds = time.perf_counter() - start
            self.flops = max(self.flops, len(self._matrices) * 2 * PEAK_SIZE**3 / seconds)


def measure(timers: Iterable[Timer | PeakFlops], repeats: int) -> None:
    """Time each of them `repeats` times, in turns."""
    timers = list(timers)
    for _ in range(repeats):
        for timer in timers:
            timer.time()
