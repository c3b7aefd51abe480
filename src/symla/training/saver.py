"""What a meta-training saves of itself: when, the best so far, and how it is restored."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from symla.core import streams
from symla.core.errors import CheckpointError
from symla.core.settings import fits
from symla.store import Arrays, Checkpoint, RunFolder, Segment, flatten, load_checkpoint, unflatten
from symla.training.generation import TrainingState
from symla.training.replays import buffers, read_transitions, without_transitions


class Best(NamedTuple):
    """Of all probed rules; the earlier one if two are equal."""

    generation: int
    score: float


class Restored(NamedTuple):
    """Where a training begins: at its newest checkpoint, or fresh."""

    done: int  # generations
    state: TrainingState
    best: Best | None
    segments: tuple[Segment, ...] = ()  # that its replay buffers are made of


class Saver:
    """Writes checkpoints, by time and by generation, and remembers the best rule between them."""

    def __init__(self, run: RunFolder, manifest: Mapping[str, Any], restored: Restored):
        self.run, self.manifest = run, {**manifest, **streams.numerics()}
        self.stored = restored.done  # generations in the newest checkpoint
        self.saved = time.monotonic()
        self.best, self.segments = restored.best, restored.segments
        self.better: tuple[Arrays, Mapping[str, Any]] | None = None  # not yet on disk

    def consider(self, done: int, row: Mapping[str, Any], state: TrainingState) -> None:
        """Keep it, until the next checkpoint, if it is the best that was ever probed.

        `row["score"]` says how good it is, more is better; a row without one was not probed.
        """
        found = row.get("score")
        if found is not None and (self.best is None or found > self.best.score):
            self.best = Best(done, found)
            self.better = _arrays(state), {"generation": done, **self.manifest}

    def until_next(self, done: int) -> int | None:
        """Generations to the next checkpoint that is due by their number."""
        every = self.run.schedule.generations
        return None if every is None else every - done % every

    def due(self, done: int) -> bool:
        """Whether a checkpoint is due after generation `done`, by its number or by the time."""
        by_number = self.until_next(done) == self.run.schedule.generations is not None
        return by_number or time.monotonic() - self.saved >= self.run.schedule.seconds

    def save(self, done: int, state: TrainingState) -> None:
        """Write a checkpoint after generation `done`, and the best rule if there is a new one."""
        best = {} if self.best is None else {"best": self.best._asdict()}
        self.segments = self.run.save(
            done,
            _arrays(state),
            {**self.manifest, **best},
            best=self.better,
            buffers=buffers(state.lives, "lives"),
            known=self.segments,
        )
        self.stored, self.saved, self.better = done, time.monotonic(), None


def restore(run: RunFolder, fresh: Callable[[], TrainingState]) -> Restored:
    """From the newest checkpoint in `run`, or a fresh start.

    Metric rows past the checkpoint are dropped; they will be written again, the same. Raises
    CheckpointError if this machine would draw other random numbers than the run did.
    """
    state = fresh()
    if not any(run.checkpoints()):
        run.go_back_to(0)
        return Restored(0, state, None)
    checkpoint = run.newest_checkpoint()
    done: Any = checkpoint.manifest.get("generation")
    if not fits(done, int):
        raise CheckpointError(f"the manifest of {checkpoint.path} lacks its generation")
    streams.check_numerics(checkpoint.manifest, checkpoint.path)
    found = checkpoint.arrays, checkpoint.path
    lives = unflatten(without_transitions(state.lives), "lives", *found)
    lives, segments = read_transitions(lives, state.lives, "lives", checkpoint)
    arrays = TrainingState(unflatten(state.outer, "outer", *found), lives)
    run.go_back_to(done)
    return Restored(done, jax.tree.map(jnp.asarray, arrays), _best_of(checkpoint, run), segments)


def _best_of(checkpoint: Checkpoint, run: RunFolder) -> Best | None:
    """As the checkpoint remembers it, if it is still there."""
    remembered = checkpoint.manifest.get("best")
    if remembered is None:
        return None
    try:
        best = Best(int(remembered["generation"]), float(remembered["score"]))
        load_checkpoint(run.best_path(best.generation))
        return best
    except (CheckpointError, KeyError, TypeError, ValueError) as error:
        logging.getLogger("symla").warning("the best rule so far is lost: %s", error)
        return None


def _arrays(state: TrainingState) -> Arrays:
    """All but the transitions of replay buffers."""
    outer, lives = jax.device_get(without_transitions(state))
    return flatten(outer, "outer") | flatten(lives, "lives")
