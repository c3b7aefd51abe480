"""What lifetimes of a figure's test earned: kept, so that a test of an hour that was stopped goes
on where it was, and figures that share a line live it once."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from symla.algorithms import LearnsFromRollouts
from symla.core.streams import Stream
from symla.environments.padding import padded_as
from symla.evaluation.learning_lives import learned
from symla.evaluation.learning_test import learning_test
from symla.evaluation.lifetime_sums import lived
from symla.rules.rule import Rule
from symla.runtime.provenance import source
from symla.store import tensors
from symla.store.files import write

_kept: ContextVar[tuple[Path, str] | None] = ContextVar("kept", default=None)  # where, by what

Earned = tuple[Float[np.ndarray, "lifetimes stretches"], Int[np.ndarray, " edges"]]


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Within this context `earned` keeps there what it measured, and takes from there what the same
    source measured; if the source was changed and not committed, it does neither."""
    by = source()
    token = _kept.set((folder, by) if by else None)
    try:
        yield
    finally:
        _kept.reset(token)


def earned(rule: Rule, environment: Any, lifetimes: int, length: int, seed: int) -> Earned:
    """Sums of rewards in the stretches between `edges` of lifetimes of `length` steps, which are
    those of all `workers` of what learns from rollouts.

    A rule that was trained on padded environments has this one padded to the same sizes. Raises
    what `lived` and `learning_test` do.
    """
    kept = _kept.get()
    if kept is None:
        return _earned(rule, environment, lifetimes, length, seed)
    folder, by = kept
    about = repr((rule.algorithm, rule.card.get("padded"), environment, lifetimes, length, seed))
    digest = hashlib.sha256(f"{by} {about}".encode())
    for leaf in jax.tree.leaves(jax.device_get(rule.params)):
        digest.update(np.asarray(leaf).tobytes())
    path = folder / f"{digest.hexdigest()[:32]}.safetensors"
    if path.exists():
        found = tensors.from_bytes(path.read_bytes(), path)
        return found["reward"], found["edges"]
    reward, edges = _earned(rule, environment, lifetimes, length, seed)
    folder.mkdir(parents=True, exist_ok=True)
    write(path, tensors.to_bytes({"reward": reward, "edges": edges}))
    return reward, edges


def _earned(rule: Rule, environment: Any, lifetimes: int, length: int, seed: int) -> Earned:
    if isinstance(rule.algorithm, LearnsFromRollouts):
        world = padded_as(rule.card, environment)
        test = learning_test(rule.algorithm, world, lifetimes, length, 0)
        reward, edges = learned(test, rule.params, seed, Stream.TESTING).reward, test.edges
    else:
        sums, edges = lived(rule, environment, lifetimes, length, seed)
        reward = sums.reward
    return np.asarray(reward, np.float64), edges
