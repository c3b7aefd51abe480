"""One generation: ask, evidence, tell. All of it runs on the device."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.algorithms.base import LearningAlgorithm
from symla.core.errors import require
from symla.core.streams import Stream, stream_key
from symla.core.trees import all_finite, global_norm
from symla.core.types import Params, PRNGKey, State
from symla.environments.base import Environment
from symla.outer.base import OuterLoop
from symla.runtime.devices import everywhere


@dataclass(frozen=True)
class Training:
    """Everything a generation depends on but its state. Hashable: each is compiled once.

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
    finite: Bool[Array, ""]  # some return is, and all of the new state


def init(training: Training, start: Params | None = None) -> State:
    """The outer loop's state before the first generation, from `start` or fresh meta-parameters."""
    count = len(training.environments)
    if start is not None:
        return training.outer.init(start, count)
    key, spec = stream_key(training.seed, Stream.INIT), training.environments[0].spec
    return training.outer.init(training.algorithm.init_params(key, spec), count)


def generation(
    training: Training, key: PRNGKey, state: State, number: Int[Array, ""]
) -> tuple[State, Metrics]:
    """Ask, gather evidence, tell. All its randomness follows from (key, number).

    The state stays as it was if what comes of it is not finite: `Metrics.finite` says so.
    """
    outer = training.outer
    key = jax.random.fold_in(key, number)
    noise_key, lifetimes_key = jax.random.split(key)
    candidates = outer.ask(noise_key, state)
    count = len(training.environments)
    evidence = jax.lax.switch(
        number % count,
        [partial(outer.evidence, training, index) for index in range(count)],
        candidates,
        lifetimes_key,
    )

    def learn(state, candidates, evidence):
        after = outer.tell(state, candidates, evidence)
        before, params = outer.params(state), outer.params(after)
        update = global_norm(jax.tree.map(jnp.subtract, params, before))
        size = global_norm(params)
        finite = jnp.any(jnp.isfinite(evidence.returns)) & all_finite((after, update, size))
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, state)
        return kept, Metrics(evidence.returns, update, size, finite)

    return everywhere(learn)(state, candidates, evidence)
