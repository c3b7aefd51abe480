"""Meta-training: the host loop over generations, in jitted chunks, with checkpoints and resume.

ask -> evidence -> tell         one generation, all on the device
metrics, checkpoint, watch      between chunks, on the host
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from symla.bridge.pool import keep_pools
from symla.core.errors import DivergenceError, require
from symla.core.precision import as_outside, in_float32
from symla.core.streams import Stream, stream_key
from symla.core.text import typed
from symla.core.types import Params, PRNGKey, State
from symla.rules.rule import Rule
from symla.runtime.devices import gather, local, replicate, several
from symla.runtime.signals import stop_signal
from symla.store import RunFolder
from symla.training.generation import (
    Metrics,
    Training,
    TrainingState,
    generation,
    host_generation,
    init,
)
from symla.training.metrics import divergence, rows_of
from symla.training.saver import Saver, restore

CHUNK_SECONDS = 1.0  # how long the host lets the device run before it looks at signals
CHUNK_LIMIT = 64  # generations
LONG_SECONDS = 10.0  # a generation that long is saved at once, lest a signal lose it


class Progress(NamedTuple):
    """What the host loop tells whoever watches it, after each chunk."""

    generation: int  # done
    generations: int  # in all
    seconds: float  # since training began, compilation apart
    row: dict[str, float]  # metrics of the last generation, and of the probe where there is one
    rows: Sequence[dict[str, float]]  # of all generations since the last report
    not_finite: int = 0  # returns that were, and did not count, since training began
    equal: int = 0  # generations whose returns were all the same


@partial(jax.jit, static_argnames="training")
def advance(
    training: Training,
    key: PRNGKey,
    state: TrainingState,
    done: Int[Array, ""],
    count: Int[Array, ""],
) -> tuple[TrainingState, Metrics]:
    """`count` generations after the first `done`; metrics of each, in the first `count` rows.

    It ends early at a generation whose outcome is not finite. `count` is dynamic, so that chunks
    of any length up to CHUNK_LIMIT share one compilation; and so is the key of the seed. The state
    is not donated: it is small, and whatever happens in a chunk, the host can save what was before.
    """

    def body(carry):
        i, state, rows, _ = carry
        state, metrics = generation(training, key, state, done + i)
        rows = jax.tree.map(lambda all_, row: all_.at[i].set(row), rows, metrics)
        return i + 1, state, rows, metrics.finite

    _, shapes = jax.eval_shape(partial(generation, training), key, state, done)
    rows = jax.tree.map(lambda row: jnp.zeros((CHUNK_LIMIT, *row.shape), row.dtype), shapes)
    start = jnp.zeros_like(count), state, rows, jnp.asarray(True)
    _, state, rows, _ = jax.lax.while_loop(lambda c: (c[0] < count) & c[3], body, start)
    return state, rows


def advance_on_host(
    training: Training,
    key: PRNGKey,
    state: TrainingState,
    done: Int[Array, ""],
    count: Int[Array, ""],
) -> tuple[TrainingState, Metrics | None]:
    """The same where environments are on the host; None for the metrics of no generation."""
    rows: list[Metrics] = []
    for number in range(int(done), int(done) + int(count)):
        state, metrics = host_generation(training, key, state, number)
        rows.append(jax.device_get(metrics))
        if not rows[-1].finite:
            break
    if not rows:
        return state, None
    missing = [rows[-1]] * (int(count) - len(rows))
    return state, jax.tree.map(lambda *x: np.stack(x), *rows, *missing)


@in_float32
def train_rule(
    training: Training,
    generations: int,
    run: RunFolder,
    manifest: dict[str, Any],
    *,
    start: Params | None = None,
    probe: Callable[[Rule], dict[str, float]] = lambda rule: {},
    probe_every: int = 10,
    watch: Callable[[Progress], None] = lambda progress: None,
    resume_with: str = "",
    exits: bool = True,
) -> tuple[Rule, int]:
    """Train up to `generations`, from the newest checkpoint in `run` if there is one, else from
    `start`, else from fresh meta-parameters.

    `probe` measures the rule every `probe_every` generations; what it returns joins the metrics
    row, and the best rule by its "score" (more is better) is kept. `manifest` is stored with every
    checkpoint. SIGINT and SIGTERM end the training early, with a checkpoint; so does whatever is
    raised; `resume_with` is the command that continues, `symla resume RUN` unless given. A second
    signal ends the process; without `exits`, in a person's own program, it raises
    KeyboardInterrupt. Returns the rule and the number of generations done.
    """
    require(generations >= 1, f"generations must be at least 1, got {generations}")
    watch = as_outside(watch)
    resume_with = resume_with or f"symla resume {typed(run.path)}"
    hint = f"`{resume_with}` continues from its newest checkpoint"
    over = several() if getattr(training.outer, "joins_devices", False) else nullcontext()
    with run.locked(), keep_pools(), over, stop_signal(hint, exits) as stopped:
        restored = restore(run, partial(init, training, start))
        loop = _Loop(training, run, Saver(run, manifest, restored), probe, probe_every)
        loop.done, loop.state = restored.done, replicate(restored.state)
        loop.compile()
        try:
            while loop.done < generations:
                # Processes have clocks and signals of their own, but must do the same.
                proposals = gather(loop.next_count(generations), stopped.is_set())
                if proposals[:, 1].any():
                    break
                watch(loop.chunk(int(proposals[0, 0]), generations))
        finally:
            if loop.done > loop.saver.stored:
                loop.saver.save(loop.done, loop.state)
        # Not on the devices of the training, which may be more than are used later.
        params = local(training.outer.params(loop.state.outer))
        return Rule(training.algorithm, params, manifest), loop.done


class _Loop:
    """Meta-training between two looks at the clock: a chunk on the device, then its bookkeeping."""

    def __init__(
        self,
        training: Training,
        run: RunFolder,
        saver: Saver,
        probe: Callable[[Rule], dict[str, float]],
        probe_every: int,
    ):
        self.training, self.run, self.saver = training, run, saver
        # One compilation serves every seed.
        bits = replicate(jax.random.key_data(stream_key(training.seed, Stream.TRAINING)))
        key = jax.jit(jax.random.wrap_key_data)(bits)  # no key itself goes to other processes
        step = advance_on_host if training.on_host else advance
        self.advance = partial(step, replace(training, seed=0), key)
        self.probe, self.probe_every = probe, probe_every
        self.done, self.state = 0, TrainingState((), ())
        self.pace = math.inf  # seconds a generation; before the first, as if it took for ever
        self.not_finite = self.equal = 0

    def compile(self) -> None:
        """Before the clock starts: a chunk of no generations."""
        jax.block_until_ready(self.advance(self.state, _int(self.done), _int(0)))
        self.before = max((row.get("seconds", 0.0) for row in self.run.metrics()), default=0.0)
        self.started = time.monotonic()

    def next_count(self, generations: int) -> int:
        """How many are to come in the next chunk."""
        many = max(1, min(CHUNK_LIMIT, int(CHUNK_SECONDS / self.pace)))
        to_probe = self.probe_every - self.done % self.probe_every
        to_save = self.saver.until_next(self.done) or many
        return min(many, to_probe, to_save, generations - self.done)

    def chunk(self, count: int, generations: int) -> Progress:
        """Generations on the device, then their rows, a probe and a checkpoint if it is time."""
        begun = time.monotonic()
        state, metrics = jax.block_until_ready(
            self.advance(self.state, _int(self.done), _int(count))
        )
        metrics = jax.device_get(metrics)
        self.pace = (time.monotonic() - begun) / count
        not_finite_at = np.flatnonzero(~metrics.finite[:count])
        made = int(not_finite_at[0]) if not_finite_at.size else count
        if made:
            self._record(rows_of(metrics, self.done, made, self.training.turns), state, generations)
        if made < count:
            self.saver.save(self.done, self.state)
            raise divergence(metrics.returns[made], self.done + 1, self.run.path)
        seconds = time.monotonic() - self.started
        return Progress(
            self.done, generations, seconds, self.row, self.rows, self.not_finite, self.equal
        )

    def _record(self, rows: list[dict[str, Any]], state: State, generations: int) -> None:
        done, row = rows[-1]["generation"], rows[-1]
        if done % self.probe_every == 0 or done == generations:
            row |= self._probed(done, self.training.outer.params(state.outer))
        row["seconds"] = round(self.before + time.monotonic() - self.started, 3)
        self.run.append_metrics(rows)
        self.saver.consider(done, row, state)
        # Rows and state go on together: whatever was raised until here, both are as before.
        self.done, self.state, self.row, self.rows = done, state, row, rows
        self.not_finite += sum(row["not_finite"] for row in rows)
        self.equal += sum(row["return_best"] == row["return_worst"] for row in rows)
        if self.saver.due(done) or self.pace > LONG_SECONDS:
            self.saver.save(done, state)

    def _probed(self, done: int, params: Params) -> dict[str, float]:
        """What the probe says of these meta-parameters; nothing of those that diverge there, by
        which training can still go on, and which are not to be the best."""
        try:
            found = self.probe(Rule(self.training.algorithm, params, self.saver.manifest))
        except DivergenceError as error:
            text = "the rule of generation %s could not be tested, training goes on: %s"
            logging.getLogger("symla").warning(text, done, error)
            return {}
        return {key: value for key, value in found.items() if math.isfinite(value)}


def _int(value: int) -> Int[Array, ""]:
    return replicate(jnp.asarray(value, jnp.int32))
