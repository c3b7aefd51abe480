"""Evolution strategies: the gradient of the smoothed return, from antithetic pairs."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from symla.errors import require
from symla.outer.base import Candidates
from symla.types import PRECISION, Params, PRNGKey


class ESState(NamedTuple):
    params: Params
    optimizer: optax.OptState


@dataclass(frozen=True)
class EvolutionStrategies:
    """Salimans et al. 2017, as SymLA uses it: twins theta +- sigma epsilon share all randomness.

    Paper: raw returns, lr 0.01, sigma 0.035 (bandits: 0.2 and 0.2). Ranks train faster, and are
    our default. `population` counts candidates, two a pair. Raises SettingError outside ranges.
    """

    population: int = 128  # P
    sigma: float = 0.1
    learning_rate: float = 0.02
    shaping: Literal["ranks", "raw"] = "ranks"

    def __post_init__(self):
        require(
            self.population >= 2 and self.population % 2 == 0,
            "population must be an even number of at least 2, two antithetic twins a pair, "
            f"got {self.population}",
        )
        for name in ("sigma", "learning_rate"):
            value = getattr(self, name)
            require(
                math.isfinite(value) and value > 0,
                f"{name} must be a finite number above 0, got {value}",
            )
        require(
            self.shaping in ("ranks", "raw"),
            f"shaping must be 'ranks' or 'raw', got {self.shaping!r}",
        )

    @property
    def _optimizer(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate, b1=0.9, b2=0.999)

    def init(self, params: Params) -> ESState:
        return ESState(params, self._optimizer.init(params))

    def params(self, state: ESState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: ESState) -> Candidates:
        """P / 2 pairs; the first half of the candidates adds the noise, the second subtracts it.

        The noise of a pair depends on the key and the pair's number alone, so that neither the
        size of the population nor the number of devices changes it.
        """
        pairs = jnp.arange(self.population // 2)
        noise = jax.vmap(lambda pair: _normal_like(jax.random.fold_in(key, pair), state.params))(
            pairs
        )

        def twins(center, epsilon):
            offset = self.sigma * epsilon
            return jnp.concatenate([center[None] + offset, center[None] - offset])

        return Candidates(
            params=jax.tree.map(twins, state.params, noise),
            group=jnp.concatenate([pairs, pairs]),
            extra=noise,
        )

    def gradient(self, candidates: Candidates, returns: Float[Array, " P"]) -> Params:
        """Of the expected return: mean over pairs of epsilon (R+ - R-) / (2 sigma)."""
        if self.shaping == "ranks":
            returns = centered_ranks(returns)
        plus, minus = jnp.split(returns, 2)
        weight = (plus - minus) / (2.0 * self.sigma * plus.size)
        return jax.tree.map(
            lambda epsilon: jnp.tensordot(weight, epsilon, axes=1, precision=PRECISION),
            candidates.extra,
        )

    def tell(self, state: ESState, candidates: Candidates, returns: Float[Array, " P"]) -> ESState:
        """One step of Adam up the gradient."""
        descent = jax.tree.map(jnp.negative, self.gradient(candidates, returns))
        with jax.numpy_dtype_promotion("standard"):  # optax mixes int and float in Adam's count
            updates, optimizer = self._optimizer.update(descent, state.optimizer, state.params)
        return ESState(optax.apply_updates(state.params, updates), optimizer)


def _normal_like(key: PRNGKey, params: Params) -> Params:
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    return structure.unflatten([jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves)])


def centered_ranks(returns: Float[Array, " P"]) -> Float[Array, " P"]:
    """Ranks scaled to [-0.5, 0.5]. Equal returns share the mean of their ranks, so that returns
    which are all equal give no gradient instead of a random one."""
    ordered = jnp.sort(returns)
    below = jnp.searchsorted(ordered, returns, side="left")
    upto = jnp.searchsorted(ordered, returns, side="right")
    rank = (below + upto - 1).astype(jnp.float32) / 2.0
    return rank / (returns.size - 1) - 0.5
