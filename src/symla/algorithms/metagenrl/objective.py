"""What the policy of a MetaGenRL agent follows: the protocol of an objective."""

from typing import NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from symla.algorithms.parts.critics import Experience, mean_where
from symla.core.networks import Perceptron
from symla.core.types import Params, PRNGKey, Spec


class Seen(NamedTuple):
    """A batch of chunks, each some consecutive steps of one episode, and how a critic values them.

    Where `steps.known` is not set there is no step: the episode was shorter. What is there means
    nothing, and is always after all that is known.
    """

    steps: Experience  # [batch, T, ...]
    log_density: Float[Array, "batch T"]  # of the action, as the policy of that time explored
    value: Float[Array, "batch T"]  # V(s) = Q_1(s, pi(s)); without a gradient
    next_value: Float[Array, "batch T"]  # V(s'), 0 after termination
    critic: Perceptron  # Q_1
    discount: float

    @property
    def known(self) -> Bool[Array, "batch T"]:
        """Whether there is such a step."""
        return self.steps.known

    @property
    def td_error(self) -> Float[Array, "batch T"]:
        """r + discount V(s') - V(s)."""
        return self.steps.reward + self.discount * self.next_value - self.value


@runtime_checkable
class Objective(Protocol):
    """L, which the policy descends: a frozen dataclass of static settings, pure methods."""

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        """Fresh meta-parameters; () where it has none."""
        ...

    def check(self, params: Params, spec: Spec) -> None:
        """Raises SizeError if `params` are none for this objective and these sizes."""
        ...

    def losses(
        self, params: Params, seen: Seen, action: Float[Array, "batch T B"]
    ) -> Float[Array, "batch T"]:
        """l_t of each step, where `action` is pi(s). The gradient goes through `action` alone."""
        ...


def standardised(
    x: Float[Array, "batch T"],
    known: Bool[Array, "batch T"],
    like: Float[Array, "batch T"] | None = None,
) -> Float[Array, "batch T"]:
    """x less the mean of all known steps, over their deviation; 0 where nothing is known.

    With `like`, mean and deviation are those of `like`.
    """
    of = x if like is None else like
    mean = mean_where(known, of)
    deviation = jnp.sqrt(mean_where(known, (of - mean) ** 2))
    return jnp.where(known, (x - mean) / (deviation + 1e-5), 0.0)
