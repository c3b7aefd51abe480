"""Meta-training: the host loop over generations, in jitted chunks, with checkpoints and resume.

ask -> lifetimes -> tell        one generation, all on the device
metrics, checkpoint, watch      between chunks, on the host
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from symla.algorithms.base import LearningAlgorithm, Rule
from symla.devices import everywhere, gather, replicate, spread
from symla.environments.base import Environment
from symla.errors import require
from symla.gradients import lesson
from symla.lifetime import lifetime
from symla.metrics import Metrics, divergence, rows_of
from symla.outer import PolicyGradient
from symla.outer.base import Candidates, OuterLoop
from symla.saving import Saver, restore
from symla.signals import stop_signal
from symla.store import RunFolder
from symla.types import Params, PRNGKey, State

CHUNK_SECONDS = 1.0  # how long the host lets the device run before it looks at signals
CHUNK_LIMIT = 64  # generations
LONG_SECONDS = 10.0  # a generation that long is saved at once, lest a signal lose it


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


class Progress(NamedTuple):
    """What the host loop tells whoever watches it, after each chunk."""

    generation: int  # done
    generations: int  # in all
    seconds: float  # since training began, compilation apart
    row: dict[str, float]  # metrics of the last generation, and of the probe where there is one
    not_finite: int = 0  # returns that were, and did not count, since training began
    equal: int = 0  # generations whose returns were all the same


def init(training: Training, start: Params | None = None) -> State:
    """The outer loop's state before the first generation, from `start` or fresh meta-parameters."""
    if start is not None:
        return training.outer.init(start)
    key = jax.random.fold_in(jax.random.key(training.seed), 0xFFFFFFFF)
    return training.outer.init(training.algorithm.init_params(key, training.environments[0].spec))


def generation(
    training: Training, key: PRNGKey, state: State, number: Int[Array, ""]
) -> tuple[State, Metrics]:
    """Ask, live, tell. All its randomness follows from (key, number).

    The state stays as it was if what comes of it is not finite: `Metrics.sound` says so.
    """
    key = jax.random.fold_in(key, number)
    noise_key, lifetimes_key = jax.random.split(key)
    candidates = training.outer.ask(noise_key, state)
    live = lessons if isinstance(training.outer, PolicyGradient) else trials
    candidates, returns = jax.lax.switch(
        number % len(training.environments),
        [partial(live, training, e) for e in training.environments],
        candidates,
        lifetimes_key,
    )

    def learn(state, candidates, returns):
        after = training.outer.tell(state, candidates, returns)
        before, params = training.outer.params(state), training.outer.params(after)
        update, size = _norm(jax.tree.map(jnp.subtract, params, before)), _norm(params)
        sound = jnp.any(jnp.isfinite(returns)) & _finite((after, update, size))
        kept = jax.tree.map(lambda new, old: jnp.where(sound, new, old), after, state)
        return kept, Metrics(returns, update, size, sound)

    return everywhere(learn)(state, candidates, returns)


def trials(
    training: Training, environment: Environment, candidates: Candidates, key: PRNGKey
) -> tuple[Candidates, Float[Array, " P"]]:
    """For outer loops that learn from returns alone."""
    return candidates, population_returns(training, environment, candidates, key)


def lessons(
    training: Training, environment: Environment, candidates: Candidates, key: PRNGKey
) -> tuple[Candidates, Float[Array, " P"]]:
    """For a policy gradient: each candidate brings home what its lifetimes taught it.

    Lessons are gathered before they are averaged, as returns are.
    """

    def one(candidate, baseline, key):
        params, group = candidate
        group_key = jax.random.fold_in(key, group)
        keys = jax.vmap(partial(jax.random.fold_in, group_key))(jnp.arange(training.lifetimes))
        setting = training.outer, training.algorithm, environment
        return lesson(*setting, params, baseline, keys, training.length)

    over_devices = spread(jax.vmap(one, (0, None, None)))
    learned, returns = over_devices((candidates.params, candidates.group), candidates.extra, key)
    return candidates._replace(extra=learned), returns


def population_returns(
    training: Training,
    environment: Environment,
    candidates: Candidates,
    key: PRNGKey,
) -> Float[Array, " P"]:
    """The mean return of each candidate over its lifetimes, spread over all devices.

    Lifetime e of group g follows from (key, g, e) alone, and the returns are gathered before
    anything is summed: so the number of devices does not change a bit of the result.
    """
    groups, population = candidates.group.size, jax.tree.leaves(candidates.params)[0].shape[0]

    def by_group(x):
        return x.reshape(population // groups, groups, *x.shape[1:]).swapaxes(0, 1)

    members = jax.tree.map(by_group, candidates.params)
    live = spread(jax.vmap(partial(group_returns, training, environment), (0, None)))
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


@partial(jax.jit, static_argnames="training")
def advance(
    training: Training, key: PRNGKey, state: State, done: Int[Array, ""], count: Int[Array, ""]
) -> tuple[State, Metrics]:
    """`count` generations after the first `done`; metrics of each, in the first `count` rows.

    It ends early at a generation that is not sound. `count` is dynamic, so that chunks of any
    length up to CHUNK_LIMIT share one compilation; and so is the key of the seed. The state is
    not donated: it is small, and whatever happens in a chunk, the host can save what was before.
    """

    def body(carry):
        i, state, rows, _ = carry
        state, metrics = generation(training, key, state, done + i)
        rows = jax.tree.map(lambda all_, row: all_.at[i].set(row), rows, metrics)
        return i + 1, state, rows, metrics.sound

    _, shapes = jax.eval_shape(partial(generation, training), key, state, done)
    rows = jax.tree.map(lambda row: jnp.zeros((CHUNK_LIMIT, *row.shape), row.dtype), shapes)
    start = jnp.zeros_like(count), state, rows, jnp.asarray(True)
    _, state, rows, _ = jax.lax.while_loop(lambda c: (c[0] < count) & c[3], body, start)
    return state, rows


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
    row, and the best rule by it is kept. `manifest` is stored with every checkpoint. SIGINT and
    SIGTERM end the training early, with a checkpoint; so does whatever is raised. Returns the rule
    and the number of generations done.
    """
    require(generations >= 1, f"generations must be at least 1, got {generations}")
    hint = f"`symla resume {run.path}` continues from its newest checkpoint"
    with run.locked(), stop_signal(hint) as stopped:
        restored = restore(run, partial(init, training, start))
        loop = _Loop(training, run, Saver(run, manifest, restored), probe, probe_every)
        loop.done, loop.state = restored.done, replicate(restored.state)
        loop.compile()
        try:
            while loop.done < generations:
                # Processes have clocks and signals of their own, but must do the same.
                wishes = gather(loop.affordable(generations), stopped.is_set())
                if wishes[:, 1].any():
                    break
                watch(loop.chunk(int(wishes[0, 0]), generations))
        finally:
            if loop.done > loop.saver.kept:
                loop.saver.save(loop.done, loop.state)
        return Rule(training.algorithm, training.outer.params(loop.state), manifest), loop.done


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
        bits = replicate(jax.random.key_data(jax.random.key(training.seed)))
        key = jax.jit(jax.random.wrap_key_data)(bits)  # no key itself goes to other processes
        self.advance = partial(advance, replace(training, seed=0), key)
        self.probe, self.probe_every = probe, probe_every
        self.done, self.state = 0, None
        self.pace: float | None = None  # seconds a generation
        self.not_finite = self.equal = 0

    def compile(self) -> None:
        """Before the clock starts: a chunk of no generations."""
        jax.block_until_ready(self.advance(self.state, _int(self.done), _int(0)))
        self.before = max((row.get("seconds", 0.0) for row in self.run.metrics()), default=0.0)
        self.started = time.monotonic()

    def affordable(self, generations: int) -> int:
        """How many are to come in the next chunk."""
        many = 1 if self.pace is None else max(1, min(CHUNK_LIMIT, int(CHUNK_SECONDS / self.pace)))
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
        unsound = np.flatnonzero(~metrics.sound[:count])
        made = int(unsound[0]) if unsound.size else count
        if made:
            self._keep(rows_of(metrics, self.done, made), state, generations)
        if made < count:
            self.saver.save(self.done, self.state)
            raise divergence(metrics.returns[made], self.done + 1, self.run.path)
        seconds = time.monotonic() - self.started
        return Progress(self.done, generations, seconds, self.row, self.not_finite, self.equal)

    def _keep(self, rows: list[dict[str, Any]], state: State, generations: int) -> None:
        done, row = rows[-1]["generation"], rows[-1]
        if done % self.probe_every == 0 or done == generations:
            params = self.training.outer.params(state)
            row |= self.probe(Rule(self.training.algorithm, params, self.saver.manifest))
            self.saver.consider(done, row, state)
        row["seconds"] = round(self.before + time.monotonic() - self.started, 3)
        self.run.append_metrics(rows)
        # Rows and state go on together: whatever was raised until here, both are as before.
        self.done, self.state, self.row = done, state, row
        self.not_finite += sum(row["not_finite"] for row in rows)
        self.equal += sum(row["return_best"] == row["return_worst"] for row in rows)
        if self.saver.due(done) or self.pace > LONG_SECONDS:
            self.saver.save(done, state)


def _finite(tree: Any) -> Bool[Array, ""]:
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))


def _norm(tree: Params) -> Float[Array, ""]:
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


def _int(value: int) -> Int[Array, ""]:
    return replicate(jnp.asarray(value, jnp.int32))
