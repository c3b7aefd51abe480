"""Whole updates of the outer loop, timed in turns so that what disturbs one disturbs all."""

import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
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
from symla.runtime.devices import only, replicate
from symla.training.generation import Training, init, population_returns
from symla.training.loop import CHUNK_LIMIT, advance

SECONDS = 0.2  # that a timing lasts at least: the clock and the dispatch must not show
PEAK_SIZE = 2048
Kernels = Literal["auto", "plain"]
OURS, FACTORED, LITERAL, SHARDED = "ours", "factored", "literal", "literal, sharded"


def formulations(shape: Shape) -> dict[str, Training]:
    """The three ways to compute one and the same update."""
    algorithms = {
        OURS: SymLA(shape.hidden),
        FACTORED: SymLA(shape.hidden, backend="plain"),
        LITERAL: LiteralSymLA(shape.hidden),
    }
    return {name: training(shape, algorithm) for name, algorithm in algorithms.items()}


def training(
    shape: Shape, algorithm: LearningAlgorithm, environment: Environment | None = None
) -> Training:
    environment = environment or environment_of(shape.observations, shape.actions)
    outer = EvolutionStrategies(shape.population)
    return Training(algorithm, (environment,), outer, shape.lifetimes, shape.length, seed=0)


def updates(training: Training, kernels: Kernels = "auto") -> "Stopwatch":
    """Of whole updates, exactly as meta-training runs them; "plain" in nothing but JAX, random
    numbers included."""
    return Stopwatch(training, advance, init(training), kernels=kernels)


def one_program(training: Training) -> "Stopwatch":
    """Of whole updates as `vmap` and `jit` alone make them: one program on one device.

    That device has all cores, and XLA shares its operations out among them as it sees fit.
    """
    one = jax.local_devices()[:1]

    def vmapped(training, *arguments):  # a function of its own: jit must trace it anew
        with only(one):
            return advance.__wrapped__(training, *arguments)

    def place(state):
        with only(one):
            return replicate(state)

    function = jax.jit(vmapped, static_argnums=0)
    return Stopwatch(training, function, init(training), place, "plain")


def lifetimes(training: Training) -> "Stopwatch":
    """Of the lifetimes of one population alone: nothing is asked, nothing told."""
    population = training.outer.population
    params = training.algorithm.init_params(jax.random.key(0), training.environments[0].spec)
    stacked = jax.tree.map(lambda x: jnp.broadcast_to(x, (population, *x.shape)), params)
    candidates = Candidates(stacked, group=jnp.arange(population // 2))  # twins, as in ES
    return Stopwatch(training, live, (candidates, jnp.zeros(population)))


@partial(jax.jit, static_argnames="training", donate_argnames="state")
def live(
    training: Training, key: PRNGKey, state: State, done: Int[Array, ""], count: Int[Array, ""]
) -> tuple[State, None]:
    """As `advance`, but the candidates stay the same."""
    candidates, returns = state

    def body(i, _):
        own_key = jax.random.fold_in(key, done + i)
        return population_returns(training, training.environments[0], candidates, own_key)

    return (candidates, jax.lax.fori_loop(0, count, body, returns)), None


@dataclass
class Stopwatch:
    """Compiles what a Training does over and over again, and times it."""

    training: Training
    function: Callable[..., Any]  # as train.advance
    state: State
    place: Callable[[State], State] = replicate  # on the devices
    kernels: Kernels = "auto"
    compile_seconds: float = field(init=False)
    timings: list[float] = field(init=False, default_factory=list)  # seconds an update

    def __post_init__(self):
        self._state, self._done = self.place(self.state), 0
        self._key = self.place(jax.random.key(self.training.seed))
        begun = time.perf_counter()
        counts = self._count(0), self._count(1)
        with self._choice():
            lowered = self.function.lower(self.training, self._key, self._state, *counts)
        self._advance = lowered.compile()
        self.compile_seconds = time.perf_counter() - begun
        self._run(1)  # touches the memory
        self._updates = min(CHUNK_LIMIT, math.ceil(SECONDS / self._run(1)))

    def _choice(self) -> AbstractContextManager[Any]:
        """Kernels are chosen when a program is traced."""
        if self.kernels == "plain":
            return mock.patch.dict(os.environ, SYMLA_KERNEL="plain")
        return nullcontext()

    def time(self) -> None:
        self.timings.append(self._run(self._updates))

    def _run(self, updates: int) -> float:
        begun = time.perf_counter()
        counts = self._count(self._done), self._count(updates)
        state, _ = self._advance(self._key, self._state, *counts)
        self._state = jax.block_until_ready(state)
        self._done += updates
        return (time.perf_counter() - begun) / updates

    def _count(self, value: int) -> jax.Array:
        return self.place(jnp.asarray(value, jnp.int32))

    @property
    def seconds(self) -> float:
        """The median time of an update."""
        return float(np.median(self.timings))

    @property
    def memory(self) -> int:
        """Bytes that the compiled update needs besides its arguments and results."""
        return self._advance.memory_analysis().temp_size_in_bytes


class Peak:
    """The machine's best: 2048 x 2048 float32 products, one on each device at a time."""

    def __init__(self):
        self.flops = 0.0  # floating-point operations per second, of the fastest so far
        mesh = Mesh(np.array(jax.devices()), ("device",))
        split = NamedSharding(mesh, PartitionSpec("device"))
        shape = (mesh.size, PEAK_SIZE, PEAK_SIZE)
        self._matrices = jax.device_put(jax.random.normal(jax.random.key(0), shape), split)
        self._product = jax.jit(partial(jnp.matmul, precision=PRECISION), out_shardings=split)
        self._product(self._matrices, self._matrices).block_until_ready()

    def time(self) -> None:
        for _ in range(3):  # somebody else's moment must not look like the limit of the machine
            begun = time.perf_counter()
            self._product(self._matrices, self._matrices).block_until_ready()
            seconds = time.perf_counter() - begun
            self.flops = max(self.flops, len(self._matrices) * 2 * PEAK_SIZE**3 / seconds)


def measure(watches: Iterable[Stopwatch | Peak], repeats: int) -> None:
    """Time each of them `repeats` times, in turns."""
    watches = list(watches)
    for _ in range(repeats):
        for watch in watches:
            watch.time()
