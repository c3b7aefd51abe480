"""Evolution strategies: the gradient of the smoothed return, from antithetic pairs."""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from symla.algorithms.base import LearnsFromRollouts
from symla.core.errors import require
from symla.core.optimisers import Optimiser, geometric_decay
from symla.core.random_numbers import fast_key
from symla.core.types import PRECISION, Params, PRNGKey
from symla.outer.base import Candidates, OuterState, Setting
from symla.outer.returns import Returns, population_returns
from symla.runtime.devices import everywhere, spread

Shaping = Literal["ranks", "group-ranks", "raw"]


class Perturbation(NamedTuple):
    """What `ask` added to the parameters (and subtracted, for the twins), in units of sigma."""

    noise: Params  # stacked on a leading axis P / 2
    sigma: Float[Array, ""]


@dataclass(frozen=True)
class EvolutionStrategies:
    """Salimans et al. 2017, as SymLA uses it: twins theta +- sigma epsilon share all randomness.

    `population` counts candidates, two a pair; `pairs_per_group` pairs live the same lifetimes.

    `shaping` says what of a return counts. "raw", the paper's: itself. "ranks": its rank in the
    population. Groups live other tasks, so this climbs the chance that a return is above one of
    another task: easy tasks rank high whatever the candidate does, and only what is left tells
    candidates apart. "group-ranks": its rank among those that lived the same tasks; with one pair
    a group, the sign of R+ - R-. docs/paper.md has all of them measured.

    Of what learns from rollouts, only the last `counted` share of a lifetime counts: what it has
    learned, not what it earned before. It lives in environments in JAX, `length` steps in each of
    its own.

    Wide perturbations find rules that generalise, narrow ones polish them: over the first
    `sigma_decay_steps` generations sigma falls geometrically to a quarter; 0 keeps it. Raises
    SettingError outside ranges.
    """

    population: int = 128  # P
    sigma: float = 0.1
    optimiser: Optimiser = Optimiser(0.02)
    shaping: Shaping = "ranks"
    sigma_decay_steps: int = 0
    pairs_per_group: int = 1
    counted: float = 1.0

    def __post_init__(self):
        require(
            self.population >= 2 and self.population % 2 == 0,
            "population must be an even number of at least 2, two antithetic twins a pair, "
            f"got {self.population}",
        )
        require(
            math.isfinite(self.sigma) and self.sigma > 0,
            f"sigma must be a finite number above 0, got {self.sigma}",
        )
        known = get_args(Shaping)
        require(
            self.shaping in known,
            f"shaping must be one of {', '.join(known)}, got {self.shaping!r}",
        )
        require(
            self.sigma_decay_steps >= 0,
            f"sigma_decay_steps must be at least 0, got {self.sigma_decay_steps}",
        )
        require(0 < self.counted <= 1, f"counted must be in (0, 1], got {self.counted}")
        pairs = self.population // 2
        require(
            self.pairs_per_group >= 1 and pairs % self.pairs_per_group == 0,
            f"pairs_per_group must divide the {pairs} pairs, got {self.pairs_per_group}",
        )

    def check(self, setting: Setting) -> None:
        """Raises SettingError for lifetimes in which nothing would be learned."""
        algorithm = setting.algorithm
        if isinstance(algorithm, LearnsFromRollouts):
            require(
                setting.length >= 2 * algorithm.interval,
                f"length must be at least 2 intervals of {algorithm.interval} steps, so that "
                f"something is learned, got {setting.length}",
            )

    def share(self, setting: Setting) -> float:
        """How much of a lifetime, at its end, counts."""
        return self.counted

    @property
    def groups(self) -> int:
        """How many groups of candidates live the same lifetimes."""
        return self.population // 2 // self.pairs_per_group

    def init(self, params: Params, environments: int = 1) -> OuterState:
        return OuterState(params, self.optimiser.init(params), jnp.zeros((), jnp.int32))

    def params(self, state: OuterState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: OuterState) -> Candidates:
        """P / 2 pairs; the first half of the candidates adds the noise, the second subtracts it.

        The noise of a pair depends on the key and the pair's number alone, so that neither the
        size of the population nor the number of devices changes it.
        """
        pairs = jnp.arange(self.population // 2)
        flat, unravel = ravel_pytree(state.params)

        def draw(pair, key):
            """One vector, cut in pieces later: an array each would take seconds to compile."""
            return jax.random.normal(jax.random.fold_in(fast_key(key), pair), flat.shape)

        # Drawing takes ten times as long as all that follows: devices share it out.
        noise = jax.vmap(unravel)(spread(jax.vmap(draw, (0, None)))(pairs, key))
        sigma = self.sigma * geometric_decay(state.generation, self.sigma_decay_steps, 0.25)

        def twins(center, noise, sigma):
            offset = jax.tree.map(lambda epsilon: sigma * epsilon, noise)
            return jax.tree.map(lambda c, o: jnp.concatenate([c + o, c - o]), center, offset)

        center = jax.tree.map(lambda x: x[None], state.params)
        return Candidates(
            params=everywhere(twins)(center, noise, sigma),
            group=jnp.arange(self.groups),
            extra=Perturbation(noise, sigma),
        )

    def lives(self, setting: Setting, params: Params, key: PRNGKey) -> tuple[Any, ...]:
        """None go on."""
        return ()

    def evidence(
        self, setting: Setting, index: int, candidates: Candidates, lives: Any, key: PRNGKey
    ) -> tuple[Returns, Any]:
        """The returns of whole lifetimes."""
        environment = setting.environments[index]
        return Returns(population_returns(setting, environment, candidates, key)), lives

    def gradient(self, candidates: Candidates, returns: Float[Array, " P"]) -> Params:
        """Of the expected return: mean over pairs of epsilon (R+ - R-) / (2 sigma).

        A return that is not finite says nothing: its pair is left out, both of the twins.
        """
        whole = jnp.all(jnp.isfinite(jnp.stack(jnp.split(returns, 2))), axis=0)  # pairs
        returns = jnp.where(jnp.concatenate([whole, whole]), returns, jnp.inf)
        if self.shaping == "ranks":
            returns = centered_ranks(returns)
        elif self.shaping == "group-ranks":  # candidate p is of group p modulo G
            by_group = returns.reshape(-1, self.groups)
            returns = jax.vmap(centered_ranks, 1, 1)(by_group).reshape(-1)
        noise, sigma = candidates.extra
        plus, minus = jnp.split(returns, 2)
        pairs = jnp.maximum(jnp.sum(whole), 1).astype(jnp.float32)
        weight = jnp.where(whole, plus - minus, 0.0) / (2.0 * sigma * pairs)
        return jax.tree.map(
            lambda epsilon: jnp.tensordot(weight, epsilon, axes=1, precision=PRECISION),
            noise,
        )

    def tell(self, state: OuterState, candidates: Candidates, evidence: Returns) -> OuterState:
        """One step of the optimiser up the gradient."""
        gradient = self.gradient(candidates, evidence.returns)
        params, optimizer = self.optimiser.ascend(state.params, gradient, state.optimizer)
        return OuterState(params, optimizer, state.generation + 1)


def centered_ranks(returns: Float[Array, " P"]) -> Float[Array, " P"]:
    """Ranks scaled to [-0.5, 0.5]. Equal returns share the mean of their ranks, so that returns
    which are all equal give no gradient instead of a random one. Those that are infinite come last,
    and the others rank as if they were alone."""
    others = jnp.maximum(jnp.sum(jnp.isfinite(returns)) - 1, 1).astype(jnp.float32)
    ordered = jnp.sort(returns)
    below = jnp.searchsorted(ordered, returns, side="left")
    upto = jnp.searchsorted(ordered, returns, side="right")
    rank = (below + upto - 1).astype(jnp.float32) / 2.0
    return rank / others - 0.5
