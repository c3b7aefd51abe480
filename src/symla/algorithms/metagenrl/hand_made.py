"""Hand-made objectives, to be compared with learned ones in the same agents."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.metagenrl.objective import Seen, standardised
from symla.algorithms.parts.critics import critic
from symla.core.errors import require
from symla.core.types import Params, PRNGKey, Spec


class _HandMade:
    """Without meta-parameters."""

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def check(self, params: Params, spec: Spec) -> None:
        """Nothing can be wrong."""


@dataclass(frozen=True)
class ReinforceObjective(_HandMade):
    """Off-policy REINFORCE, as the MetaGenRL paper compares with it.

        l_t = mean over dimensions of (a_t - pi(s_t))^2, times A_t

    with A_t the generalised advantage estimate of V within the chunk, by its discount and
    `trace`; with `standardise`, of mean 0 and deviation 1 in the batch: as it is, A_t is mostly
    negative where the policy is better than those in the buffer, which drives pi(s) to its bounds,
    away from all that was done. With `importance`, times the density of a_t under pi with normal
    noise of that deviation, over that under the policy that chose it, at most 1. Raises
    SettingError outside ranges.
    """

    trace: float = 0.97  # lambda
    standardise: bool = True
    importance: bool = False
    deviation: float = 0.1  # of the noise that densities are computed with

    def __post_init__(self):
        require(0 <= self.trace <= 1, f"trace must be in [0, 1], got {self.trace}")
        require(
            0 < self.deviation < math.inf,
            f"deviation must be a finite number above 0, got {self.deviation}",
        )

    def losses(
        self, params: tuple[()], seen: Seen, action: Float[Array, "batch T B"]
    ) -> Float[Array, "batch T"]:
        advantage = advantages(seen, self.trace)
        if self.standardise:
            advantage = standardised(advantage, seen.known)
        if self.importance:
            density = log_density(seen.steps.action, action, self.deviation)
            ratio = jnp.exp(jnp.minimum(density - seen.log_density, 0.0))
            advantage = advantage * jax.lax.stop_gradient(ratio)
        return squared_distance(seen, action) * advantage


@dataclass(frozen=True)
class AdvantageWeightedRegression(_HandMade):
    """Towards the actions of the buffer, the more so the better they were (Peng et al. 2019).

        l_t = mean over dimensions of (a_t - pi(s_t))^2, times exp(clip(A_t, -limit, limit))

    with A_t as in `ReinforceObjective`, standardised over the batch. Raises SettingError outside
    ranges.
    """

    trace: float = 0.9  # lambda
    limit: float = 3.0

    def __post_init__(self):
        require(0 <= self.trace <= 1, f"trace must be in [0, 1], got {self.trace}")
        require(0 < self.limit < 80, f"limit must be above 0 and below 80, got {self.limit}")

    def losses(
        self, params: tuple[()], seen: Seen, action: Float[Array, "batch T B"]
    ) -> Float[Array, "batch T"]:
        advantage = standardised(advantages(seen, self.trace), seen.known)
        weight = jnp.exp(jnp.clip(advantage, -self.limit, self.limit))
        return squared_distance(seen, action) * weight


@dataclass(frozen=True)
class FollowCritic(_HandMade):
    """TD3's and DDPG's: l_t = -Q_1(s_t, pi(s_t))."""

    def losses(
        self, params: tuple[()], seen: Seen, action: Float[Array, "batch T B"]
    ) -> Float[Array, "batch T"]:
        return -critic(seen.critic, seen.steps.observation, action)


def advantages(seen: Seen, trace: float) -> Float[Array, "batch T"]:
    """A_t = td_error_t + discount trace A_{t+1}, and 0 after the end of the chunk."""
    decay = seen.discount * trace
    errors = jnp.where(seen.known, seen.td_error, 0.0)

    def back(later: Array, now: Array) -> tuple[Array, Array]:
        total = now + decay * later
        return total, total

    _, found = jax.lax.scan(back, jnp.zeros_like(errors[:, 0]), errors.T, reverse=True)
    return found.T


def squared_distance(seen: Seen, action: Float[Array, "batch T B"]) -> Float[Array, "batch T"]:
    """(a - pi(s))^2, its mean over the dimensions of the action."""
    return jnp.mean((seen.steps.action - action) ** 2, axis=-1)


def log_density(
    action: Float[Array, "*batch B"], mean: Float[Array, "*batch B"], deviation: float
) -> Float[Array, "*batch"]:
    """Of actions that are normal with that mean and deviation in each dimension."""
    each = -0.5 * ((action - mean) / deviation) ** 2
    return jnp.sum(each - math.log(deviation * math.sqrt(2.0 * math.pi)), axis=-1)
