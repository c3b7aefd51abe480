"""Adam with clipping and a schedule, as one frozen dataclass of numbers."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from symla.core.errors import require
from symla.core.types import Params, State


@dataclass(frozen=True)
class Optimiser:
    """Adam (Kingma and Ba 2015). Hashable, so that it can stand in settings and manifests.

    Over the first `decay_steps` updates the learning rate falls geometrically to `decay_to` times
    what it was; 0 steps keep it constant. Raises SettingError outside ranges.
    """

    learning_rate: float = 1e-3
    clip: float = 0.0  # largest global norm of a gradient; 0: none
    decay_steps: int = 0
    decay_to: float = 0.25
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        for name in ("learning_rate", "epsilon", "decay_to"):
            value = getattr(self, name)
            require(
                math.isfinite(value) and value > 0,
                f"{name} must be a finite number above 0, got {value}",
            )
        require(
            math.isfinite(self.clip) and self.clip >= 0,
            f"clip must be a finite number of at least 0, got {self.clip}",
        )
        require(self.decay_steps >= 0, f"decay_steps must be at least 0, got {self.decay_steps}")
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            require(0.0 <= value < 1.0, f"{name} must be at least 0 and below 1, got {value}")

    def build(self) -> optax.GradientTransformation:
        """The optax transformation, which descends the gradient."""
        parts = [
            optax.scale_by_adam(self.beta1, self.beta2, self.epsilon),
            optax.scale(-self.learning_rate),
        ]
        if self.clip:
            parts.insert(0, optax.clip_by_global_norm(self.clip))
        if self.decay_steps:
            parts.append(optax.scale_by_schedule(self.decay))
        return optax.chain(*parts)

    def decay(self, step: Int[Array, ""]) -> Float[Array, ""]:
        """What the learning rate of update `step` is multiplied by."""
        return geometric_decay(step, self.decay_steps, self.decay_to)

    def init(self, params: Params) -> State:
        """The state before the first update."""
        return self.build().init(params)

    def clipped(self, gradient: Params) -> Params:
        """The gradient, scaled to the norm `clip` if it is longer."""
        if not self.clip:
            return gradient
        clip = optax.clip_by_global_norm(self.clip)
        return clip.update(gradient, clip.init(gradient))[0]

    def ascend(self, params: Params, gradient: Params, state: State) -> tuple[Params, State]:
        """One step up the gradient. Returns parameters and state."""
        return self.descend(params, jax.tree.map(jnp.negative, gradient), state)

    def descend(
        self,
        params: Params,
        gradient: Params,
        state: State,
        scale: Float[Array, ""] | float = 1.0,
    ) -> tuple[Params, State]:
        """One step down the gradient, of `scale` times its length. Returns parameters and state."""
        with jax.numpy_dtype_promotion("standard"):  # optax mixes int and float in Adam's count
            updates, state = self.build().update(gradient, state, params)
            updates = jax.tree.map(lambda x: scale * x, updates)
        return optax.apply_updates(params, updates), state


def geometric_decay(step: Int[Array, ""], steps: int, to: float) -> Float[Array, ""]:
    """From 1 at step 0 to `to` at `steps` and after; 1 throughout where `steps` is 0."""
    if not steps:
        return jnp.ones(())
    return to ** jnp.minimum(step.astype(jnp.float32) / steps, 1.0)
