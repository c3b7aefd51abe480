"""One generation: ask, evidence, tell. All of it runs on the device."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.algorithms.base import AnyAlgorithm
from symla.core.errors import require
from symla.core.streams import Stream, stream_key
from symla.core.trees import all_finite, global_norm
from symla.core.types import Params, PRNGKey, State
from symla.lifetimes.host import is_on_host, spec_of
from symla.lifetimes.lifetime import check_length, check_lifetimes
from symla.outer.base import Candidates, ChecksSetting, OuterLoop
from symla.runtime.devices import everywhere


@dataclass(frozen=True)
class Training:
    """Everything a generation depends on but its state. Hashable: each is compiled once.

    `lifetimes` are lived by each candidate, each `length` steps long. Generations go round the
    `environments`, one each, or each takes all of them, as the outer loop has it: they may differ
    in size where the algorithm can take any. Raises SettingError outside ranges.
    """

    algorithm: AnyAlgorithm
    environments: tuple[Any, ...]  # each an Environment, or one on the host
    outer: OuterLoop
    lifetimes: int
    length: int
    seed: int

    def __post_init__(self):
        require(len(self.environments) >= 1, "there must be an environment to train on")
        check_lifetimes(self.lifetimes)
        check_length(self.length)
        lifetime = getattr(self.outer, "lifetime", 0)  # of lives that go on
        require(
            lifetime % self.length == 0,
            f"lifetime must be a multiple of length, the {self.length} steps of a generation, "
            f"got {lifetime}",
        )
        require(0 <= self.seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {self.seed}")
        if isinstance(self.outer, ChecksSetting):
            self.outer.check(self)

    @property
    def on_host(self) -> bool:
        """Whether an environment is on the host, so that a generation cannot be compiled whole."""
        return any(map(is_on_host, self.environments))

    @property
    def turns(self) -> int:
        """After how many generations an environment has its turn again."""
        together = getattr(self.outer, "takes_all_environments", False)
        return 1 if together else len(self.environments)


class Metrics(NamedTuple):
    """Of one generation: what the candidates earned, and how far the meta-parameters went."""

    returns: Float[Array, " P"]
    update_norm: Float[Array, ""]
    params_norm: Float[Array, ""]
    finite: Bool[Array, ""]  # some return is, and all of the new state


class TrainingState(NamedTuple):
    """What goes from generation to generation, and into checkpoints."""

    outer: State  # of the outer loop
    lives: tuple[Any, ...]  # that go on, of each environment; () where none do


def init(training: Training, start: Params | None = None) -> TrainingState:
    """The state before the first generation, from `start` or fresh meta-parameters."""
    count = len(training.environments)
    if start is None:
        key, spec = stream_key(training.seed, Stream.INIT), spec_of(training.environments[0])
        start = training.algorithm.init_params(key, spec)
    lives = training.outer.lives(training, start, stream_key(training.seed, Stream.LIVES))
    return TrainingState(training.outer.init(start, count), lives)


def generation(
    training: Training, key: PRNGKey, state: TrainingState, number: Int[Array, ""]
) -> tuple[TrainingState, Metrics]:
    """Ask, gather evidence, tell. All its randomness follows from (key, number).

    The state stays as it was if what comes of it is not finite: `Metrics.finite` says so.
    """
    candidates, lifetimes_key = _ask(training, key, state, number)
    evidence, lives = jax.lax.switch(
        number % training.turns,
        [partial(training.outer.evidence, training, index) for index in range(training.turns)],
        candidates,
        state.lives,
        lifetimes_key,
    )
    return _learn(training, state, candidates, evidence, lives)


def host_generation(
    training: Training, key: PRNGKey, state: TrainingState, number: int
) -> tuple[TrainingState, Metrics]:
    """The same where environments are on the host: its parts are compiled, each by itself."""
    candidates, lifetimes_key = _asked(training, key, state, jnp.asarray(number, jnp.int32))
    index = number % training.turns
    where = training, index, candidates, state.lives, lifetimes_key
    met = training.environments if training.turns == 1 else training.environments[index : index + 1]
    on_host = any(map(is_on_host, met))
    evidence, lives = training.outer.evidence(*where) if on_host else _compiled_evidence(*where)
    return _compiled_learn(training, state, candidates, evidence, lives)


def _ask(
    training: Training, key: PRNGKey, state: TrainingState, number: Int[Array, ""]
) -> tuple[Candidates, PRNGKey]:
    """The candidates of a generation, and the key of their lifetimes."""
    noise_key, lifetimes_key = jax.random.split(jax.random.fold_in(key, number))
    return training.outer.ask(noise_key, state.outer), lifetimes_key


def _learn(
    training: Training,
    state: TrainingState,
    candidates: Candidates,
    evidence: Any,
    lives: tuple[Any, ...],
) -> tuple[TrainingState, Metrics]:
    outer = training.outer

    def learn(before, candidates, evidence):
        after = outer.tell(before, candidates, evidence)
        params = outer.params(after)
        update = global_norm(jax.tree.map(jnp.subtract, params, outer.params(before)))
        size = global_norm(params)
        finite = jnp.any(jnp.isfinite(evidence.returns)) & all_finite((after, update, size))
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, before)
        return kept, Metrics(evidence.returns, update, size, finite)

    kept, metrics = everywhere(learn)(state.outer, candidates, evidence)
    lives = jax.tree.map(lambda new, old: jnp.where(metrics.finite, new, old), lives, state.lives)
    return TrainingState(kept, lives), metrics


_asked = partial(jax.jit, static_argnames="training")(_ask)
_compiled_learn = partial(jax.jit, static_argnames="training")(_learn)


@partial(jax.jit, static_argnames=("training", "index"))
def _compiled_evidence(
    training: Training,
    index: int,
    candidates: Candidates,
    lives: tuple[Any, ...],
    key: PRNGKey,
) -> Any:
    return training.outer.evidence(training, index, candidates, lives, key)
