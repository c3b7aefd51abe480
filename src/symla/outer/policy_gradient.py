"""Policy gradient through whole lifetimes: backpropagation where evolution strategies estimate."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from symla.core.errors import require
from symla.core.types import Params, PRNGKey, Scalar
from symla.outer.base import Candidates


class Baseline(NamedTuple):
    """Running means, over generations, of the discounted returns and of their squared surprise."""

    level: Scalar
    square: Scalar


class PGState(NamedTuple):
    params: Params
    optimizer: optax.OptState
    baseline: Baseline


class Lesson(NamedTuple):
    """What the lifetimes of one candidate teach."""

    gradient: Params  # of its objective, to be climbed
    level: Scalar  # mean discounted return
    square: Scalar  # mean squared difference from the baseline


@dataclass(frozen=True)
class PolicyGradient:
    """REINFORCE (Williams 1992) with the gradient taken through the state of the learner, as RL^2
    does (Duan et al. 2016): it sees how what was learned at one step serves all later ones.

    All `population` candidates have the same meta-parameters: they share out the lifetimes of a
    generation between devices. The gradient of a lifetime is that of the mean over t of

        log pi(a_t) (G_t - baseline) / deviation + entropy * H_t

    with G_t discounted, over the ends of episodes. Only for learning algorithms that are
    `Differentiable`. Raises SettingError outside ranges.
    """

    population: int = 8  # P
    learning_rate: float = 1e-3
    discount: float = 0.9
    entropy: float = 0.003
    clip: float = 1.0  # the largest norm of the gradient of a candidate
    horizon: int = 0  # steps that the gradient goes back at most; 0: to the start of the lifetime

    def __post_init__(self):
        require(self.population >= 1, f"population must be at least 1, got {self.population}")
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            require(
                math.isfinite(value) and value > 0,
                f"{name} must be a finite number above 0, got {value}",
            )
        require(0.0 <= self.discount <= 1.0, f"discount must be 0 to 1, got {self.discount}")
        require(self.horizon >= 0, f"horizon must be at least 0 steps, got {self.horizon}")
        require(self.entropy >= 0.0, f"entropy must be at least 0, got {self.entropy}")

    @property
    def _optimizer(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate, b1=0.9, b2=0.999)

    def init(self, params: Params) -> PGState:
        baseline = Baseline(jnp.zeros(()), jnp.ones(()))
        return PGState(params, self._optimizer.init(params), baseline)

    def params(self, state: PGState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: PGState) -> Candidates:
        """The same meta-parameters P times, each for lifetimes of its own."""
        copies = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (self.population, *x.shape)), state.params
        )
        return Candidates(copies, jnp.arange(self.population), state.baseline)

    def objective(
        self,
        baseline: Baseline,
        reward: Float[Array, " L"],
        log_probability: Float[Array, " L"],
        entropy: Float[Array, " L"],
    ) -> tuple[Scalar, tuple[Scalar, Scalar]]:
        """To be climbed; and the two numbers that the baseline learns from."""

        def add(later, now):
            total = now + self.discount * later
            return total, total

        _, discounted = jax.lax.scan(add, jnp.zeros(()), reward, reverse=True)
        surprise = discounted - baseline.level
        advantage = jax.lax.stop_gradient(surprise / jnp.sqrt(baseline.square + 1e-6))
        climbed = jnp.mean(log_probability * advantage + self.entropy * entropy)
        return climbed, (jnp.mean(discounted), jnp.mean(surprise**2))

    def tell(self, state: PGState, candidates: Candidates, returns: Float[Array, " P"]) -> PGState:
        """One step of Adam along the mean of the lessons, which `candidates.extra` holds.

        A candidate whose return or lesson is not finite says nothing, and is left out.
        """
        # Gradients of long lifetimes explode now and then: one candidate must not drown the others.
        clipped = candidates.extra._replace(
            gradient=jax.vmap(self._clipped)(candidates.extra.gradient)
        )
        whole = jax.vmap(_finite)((clipped, returns))
        count = jnp.maximum(jnp.sum(whole), 1).astype(jnp.float32)

        def mean(x):
            kept = whole.reshape(-1, *[1] * (x.ndim - 1))
            return jnp.sum(jnp.where(kept, x, 0.0), axis=0) / count

        lesson = jax.tree.map(mean, clipped)
        descent = jax.tree.map(jnp.negative, lesson.gradient)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes int and float in Adam's count
            updates, optimizer = self._optimizer.update(descent, state.optimizer, state.params)
        heard = Baseline(lesson.level, lesson.square)
        baseline = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, state.baseline, heard)
        return PGState(optax.apply_updates(state.params, updates), optimizer, baseline)

    def _clipped(self, gradient: Params) -> Params:
        norm = optax.tree.norm(gradient)
        return jax.tree.map(lambda x: x * jnp.minimum(1.0, self.clip / (norm + 1e-6)), gradient)


def _finite(tree: Any) -> Bool[Array, ""]:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))
