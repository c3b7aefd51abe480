"""Evolution strategies: the gradient of the smoothed return, from antithetic pairs."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from symla.core.errors import require
from symla.core.random_numbers import fast_key
from symla.core.types import PRECISION, Params, PRNGKey
from symla.outer.base import Candidates
from symla.runtime.devices import everywhere, spread


class ESState(NamedTuple):
    params: Params
    optimizer: optax.OptState
    generation: Int[Array, ""]


class Perturbation(NamedTuple):
    """What `ask` added to the parameters (and subtracted, for the twins), in units of sigma."""

    noise: Params  # stacked on a leading axis P / 2
    sigma: Float[Array, ""]


@dataclass(frozen=True)
class EvolutionStrategies:
    """Salimans et al. 2017, as SymLA uses it: twins theta +- sigma epsilon share all randomness.

    Paper: raw returns, lr 0.01, sigma 0.035 (bandits: 0.2 and 0.2). Ranks train faster, and are
    our default. `population` counts candidates, two a pair.

    Wide perturbations find rules that generalise, narrow ones polish them: over the first
    `annealing` generations sigma and the learning rate fall, geometrically, to a quarter. 0 keeps
    them constant, as in the paper. Raises SettingError outside ranges.
    """

    population: int = 128  # P
    sigma: float = 0.1
    learning_rate: float = 0.02
    shaping: Literal["ranks", "raw"] = "ranks"
    annealing: int = 0

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
        require(self.annealing >= 0, f"annealing must be at least 0, got {self.annealing}")

    @property
    def _optimizer(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate, b1=0.9, b2=0.999)

    def init(self, params: Params) -> ESState:
        return ESState(params, self._optimizer.init(params), jnp.zeros((), jnp.int32))

    def params(self, state: ESState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: ESState) -> Candidates:
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
        sigma = self.sigma * self._scale(state)

        def twins(center, noise, sigma):
            offset = jax.tree.map(lambda epsilon: sigma * epsilon, noise)
            return jax.tree.map(lambda c, o: jnp.concatenate([c + o, c - o]), center, offset)

        center = jax.tree.map(lambda x: x[None], state.params)
        return Candidates(
            params=everywhere(twins)(center, noise, sigma),
            group=pairs,
            extra=Perturbation(noise, sigma),
        )

    def gradient(self, candidates: Candidates, returns: Float[Array, " P"]) -> Params:
        """Of the expected return: mean over pairs of epsilon (R+ - R-) / (2 sigma).

        A return that is not finite says nothing: its pair is left out, both of the twins.
        """
        whole = jnp.all(jnp.isfinite(jnp.stack(jnp.split(returns, 2))), axis=0)  # pairs
        returns = jnp.where(jnp.concatenate([whole, whole]), returns, jnp.inf)
        if self.shaping == "ranks":
            returns = centered_ranks(returns)
        noise, sigma = candidates.extra
        plus, minus = jnp.split(returns, 2)
        pairs = jnp.maximum(jnp.sum(whole), 1).astype(jnp.float32)
        weight = jnp.where(whole, plus - minus, 0.0) / (2.0 * sigma * pairs)
        return jax.tree.map(
            lambda epsilon: jnp.tensordot(weight, epsilon, axes=1, precision=PRECISION),
            noise,
        )

    def tell(self, state: ESState, candidates: Candidates, returns: Float[Array, " P"]) -> ESState:
        """One step of Adam up the gradient."""
        descent = jax.tree.map(jnp.negative, self.gradient(candidates, returns))
        with jax.numpy_dtype_promotion("standard"):  # optax mixes int and float in Adam's count
            updates, optimizer = self._optimizer.update(descent, state.optimizer, state.params)
        scale = self._scale(state)
        updates = jax.tree.map(lambda update: scale * update, updates)
        params = optax.apply_updates(state.params, updates)
        return ESState(params, optimizer, state.generation + 1)

    def _scale(self, state: ESState) -> Float[Array, ""]:
        """Of sigma and the learning rate: from 1 to 1/4."""
        if not self.annealing:
            return jnp.ones(())
        progress = state.generation.astype(jnp.float32) / self.annealing
        return 0.25 ** jnp.minimum(progress, 1.0)


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
