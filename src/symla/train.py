"""Meta-training: the host loop over generations, in jitted chunks, with checkpoints and resume.

ask -> lifetimes -> tell        one generation, all on the device
metrics, checkpoint, watch      between chunks, on the host
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from symla.algorithms.base import LearningAlgorithm, Rule
from symla.devices import everywhere, gather, replicate, spread
from symla.environments.base import Environment
from symla.errors import CheckpointError, DivergenceError, require
from symla.lifetime import lifetime
from symla.outer.base import Candidates, OuterLoop
from symla.store import RunFolder, flatten, unflatten
from symla.types import Params, PRNGKey, State

CHUNK_SECONDS = 1.0  # how long the host lets the device run before it looks at signals
CHUNK_LIMIT = 64  # generations
CHECKPOINT_SECONDS = 60.0
CHECKPOINTS_KEPT = 3


@dataclass(frozen=True)
class Training:
    """Everything a generation depends on but its state. Hashable: one compilation a Training.

    `lifetimes` are lived by each candidate, each `length` steps long. Generations go round the
    `environments`, one each: they may differ in size where the algorithm can take any. Raises
    SettingError outside ranges.
    """

    algorithm: LearningAlgorithm
    environments: tuple[Environment, ...]
    outer: OuterLoop
    lifetimes: int
    length: int
    seed: int

    def __post_init__(self):
        require(len(self.environments) >= 1, "there must be an environment to train on")
        require(self.lifetimes >= 1, f"lifetimes must be at least 1, got {self.lifetimes}")
        require(self.length >= 1, f"length must be at least 1 step, got {self.length}")
        require(0 <= self.seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {self.seed}")


class Metrics(NamedTuple):
    """Of one generation: what the candidates earned, and how far the meta-parameters went."""

    returns: Float[Array, " P"]
    update_norm: Float[Array, ""]
    params_norm: Float[Array, ""]


class Progress(NamedTuple):
    """What the host loop tells whoever watches it, after each chunk."""

    generation: int  # done
    generations: int  # in all
    seconds: float  # since training began, compilation apart
    row: dict[str, float]  # metrics of the last generation, and of the probe where there is one


def init(training: Training, start: Params | None = None) -> State:
    """The outer loop's state before the first generation, from `start` or fresh meta-parameters."""
    if start is not None:
        return training.outer.init(start)
    key = jax.random.fold_in(jax.random.key(training.seed), 0xFFFFFFFF)
    return training.outer.init(training.algorithm.init_params(key, training.environments[0].spec))


def generation(
    training: Training, key: PRNGKey, state: State, number: Int[Array, ""]
) -> tuple[State, Metrics]:
    """Ask, live, tell. All its randomness follows from (key, number)."""
    key = jax.random.fold_in(key, number)
    noise_key, lifetimes_key = jax.random.split(key)
    candidates = everywhere(training.outer.ask)(noise_key, state)
    returns = jax.lax.switch(
        number % len(training.environments),
        [partial(population_returns, training, e) for e in training.environments],
        candidates,
        lifetimes_key,
    )

    def learn(state, candidates, returns):
        after = training.outer.tell(state, candidates, returns)
        before, params = training.outer.params(state), training.outer.params(after)
        update = jax.tree.map(jnp.subtract, params, before)
        return after, Metrics(returns, _norm(update), _norm(params))

    return everywhere(learn)(state, candidates, returns)


def population_returns(
    training: Training,
    environment: Environment,
    candidates: Candidates,
    key: PRNGKey,
    over_devices: Callable[..., Any] = spread,
) -> Float[Array, " P"]:
    """The mean return of each candidate over its lifetimes, spread over all devices.

    Lifetime e of group g follows from (key, g, e) alone, and the returns are gathered before
    anything is summed: so the number of devices does not change a bit of the result.
    """
    groups, population = candidates.group.size, jax.tree.leaves(candidates.params)[0].shape[0]

    def by_group(x):
        return x.reshape(population // groups, groups, *x.shape[1:]).swapaxes(0, 1)

    members = jax.tree.map(by_group, candidates.params)
    live = over_devices(jax.vmap(partial(group_returns, training, environment), (0, None)))
    return live((members, candidates.group), key).T.reshape(population)


def group_returns(
    training: Training,
    environment: Environment,
    group: tuple[Params, Int[Array, ""]],
    key: PRNGKey,
) -> Float[Array, " K"]:
    """The mean return of each of the K members of a group.

    They share the keys of their lifetimes, not only in value but as one array without an axis for
    the members: whatever is random is drawn once for all of them.
    """
    members, number = group
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.fold_in(key, number)))(
        jnp.arange(training.lifetimes)
    )

    def member_return(params):
        def one(key):
            arguments = training.algorithm, environment, params, key
            return lifetime(*arguments, training.length, record=False)[0]

        return jnp.mean(jax.vmap(one)(keys))

    return jax.vmap(member_return)(members)


@partial(jax.jit, static_argnames="training", donate_argnames="state")
def advance(
    training: Training, key: PRNGKey, state: State, done: Int[Array, ""], count: Int[Array, ""]
) -> tuple[State, Metrics]:
    """`count` generations after the first `done`; metrics of each, in the first `count` rows.

    `count` is dynamic, so that chunks of any length up to CHUNK_LIMIT share one compilation; and
    so is the key of the seed.
    """

    def body(i, carry):
        state, rows = carry
        state, metrics = generation(training, key, state, done + i)
        return state, jax.tree.map(lambda all_, row: all_.at[i].set(row), rows, metrics)

    _, shapes = jax.eval_shape(partial(generation, training), key, state, done)
    rows = jax.tree.map(lambda row: jnp.zeros((CHUNK_LIMIT, *row.shape)), shapes)
    return jax.lax.fori_loop(0, count, body, (state, rows))


def meta_train(
    training: Training,
    generations: int,
    run: RunFolder,
    manifest: dict[str, Any],
    *,
    start: Params | None = None,
    probe: Callable[[Rule], dict[str, float]] = lambda rule: {},
    probe_every: int = 10,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> tuple[Rule, int]:
    """Train up to `generations`, from the newest checkpoint in `run` if there is one, else from
    `start`, else from fresh meta-parameters.

    `probe` looks at the rule every `probe_every` generations; what it returns joins the metrics
    row. `manifest` is stored with every checkpoint. SIGINT and SIGTERM end the training early,
    with a checkpoint. Returns the rule and the number of generations done.
    """
    require(generations >= 1, f"generations must be at least 1, got {generations}")
    done, state = restore(training, run, start)
    program, key = replace(training, seed=0), replicate(jax.random.key(training.seed))
    state = replicate(state)  # as `advance` returns it, so that it is compiled only once

    def rule() -> Rule:
        params = jax.tree.map(jnp.copy, training.outer.params(state))  # state will be donated
        return Rule(training.algorithm, params, manifest)

    def save() -> None:
        run.save(done, flatten(jax.device_get(state), "outer"), manifest, CHECKPOINTS_KEPT)

    # Compiled before the clock starts: a chunk of no generations.
    state, _ = jax.block_until_ready(advance(program, key, state, _int(done), _int(0)))
    started = saved = time.monotonic()
    before = max((row.get("seconds", 0.0) for row in run.metrics()), default=0.0)
    kept = done  # generations in the newest checkpoint
    pace = None  # seconds a generation
    with stop_signal() as stopped:
        while done < generations:
            affordable = 1 if pace is None else max(1, min(CHUNK_LIMIT, int(CHUNK_SECONDS / pace)))
            # Processes have clocks and signals of their own, but must do the same.
            wishes = gather(affordable, stopped.is_set())
            if wishes[:, 1].any():
                break
            count = min(int(wishes[0, 0]), probe_every - done % probe_every, generations - done)

            begun = time.monotonic()
            state, metrics = jax.block_until_ready(
                advance(program, key, state, _int(done), _int(count))
            )
            metrics = jax.device_get(metrics)
            now = time.monotonic()
            pace = (now - begun) / count

            rows = _rows(metrics, done, count)
            if not math.isfinite(rows[-1]["params_norm"]):
                raise DivergenceError(
                    f"the meta-parameters left the finite numbers by generation {done + count}: "
                    f"lower learning_rate or sigma. {run.path} keeps what was before"
                )
            done += count
            if done % probe_every == 0 or done == generations:
                rows[-1] |= probe(rule())
            rows[-1]["seconds"] = round(before + time.monotonic() - started, 3)
            run.append_metrics(rows)
            if now - saved > CHECKPOINT_SECONDS:
                save()
                saved, kept = now, done
            watch(Progress(done, generations, time.monotonic() - started, rows[-1]))
        if done > kept:
            save()
    return rule(), done


def restore(training: Training, run: RunFolder, start: Params | None = None) -> tuple[int, State]:
    """Generations done and the state: of the newest checkpoint in `run`, or a fresh start.

    Metric rows past the checkpoint are dropped; they will be written again, the same.
    """
    state = init(training, start)
    if not any(run.checkpoints()):
        run.forget_metrics_after(0)
        return 0, state
    checkpoint = run.newest_checkpoint()
    done = checkpoint.manifest.get("generation")
    if not isinstance(done, int):
        raise CheckpointError(f"the manifest of {checkpoint.path} lacks its generation")
    arrays = unflatten(state, "outer", checkpoint.arrays, checkpoint.path)
    run.forget_metrics_after(done)
    return done, jax.tree.map(jnp.asarray, arrays)


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets. The second does what it always did."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # only the main thread may handle signals
        return

    def restore_handlers():
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number, frame):
        stopped.set()
        restore_handlers()

    before = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        restore_handlers()


def _norm(tree: Params) -> Float[Array, ""]:
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


def _rows(metrics: Metrics, done: int, count: int) -> list[dict[str, Any]]:
    """One a generation. Summed here, where the order does not depend on the devices."""
    return [
        {
            "generation": done + i + 1,
            "return_mean": float(np.mean(metrics.returns[i], dtype=np.float64)),
            "return_best": float(np.max(metrics.returns[i])),
            "update_norm": float(metrics.update_norm[i]),
            "params_norm": float(metrics.params_norm[i]),
        }
        for i in range(count)
    ]


def _int(value: int) -> Int[Array, ""]:
    return replicate(jnp.asarray(value, jnp.int32))
