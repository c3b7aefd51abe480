"""Distributions of actions: how a learning algorithm's outputs become an action."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Bool, Float, Int

from symla.core.networks import dot
from symla.core.types import Action, ActionSpace, Continuous, PRNGKey, Scalar

NOT_FINITE = -1  # the "action" sampled from logits that are not finite: no action at all
LOG_DEVIATIONS = (-5.0, 2.0)  # the range of a Gaussian's log standard deviation
EDGE = 1e-6  # how near a squashed action comes to its bounds: beyond, float32 has no inverse
QUADRATURE = np.polynomial.hermite_e.hermegauss(16)  # nodes and weights for a normal variable


class Categorical(NamedTuple):
    """softmax(logits) over the actions of a Discrete space."""

    logits: Float[Array, " B"]

    def sample(self, key: PRNGKey) -> Int[Array, ""]:
        """Sample by inverting the cumulative distribution: one uniform number.

        Logits that are not finite give NOT_FINITE, which `lifetime` turns into rewards that are
        NaN: a policy that diverged must not look like one that prefers action 0.
        """
        logits = self.logits
        finite = jnp.all(jnp.isfinite(logits))  # not later: XLA's exp on CPUs may lose a NaN
        probability = jax.nn.softmax(logits)
        if logits.size <= 64:  # one small product is faster than a scan
            cumulative = dot(probability, jnp.triu(jnp.ones((logits.size, logits.size))))
        else:
            cumulative = jnp.cumsum(probability)
        threshold = jax.random.uniform(key) * cumulative[-1]
        action = jnp.sum(cumulative[:-1] <= threshold, dtype=jnp.int32)
        return jnp.where(finite, action, NOT_FINITE)

    def log_probability(self, action: Int[Array, ""]) -> Scalar:
        """log p(action), in nats."""
        log = jax.nn.log_softmax(self.logits)
        return jnp.sum(jnp.where(jnp.arange(log.size) == action, log, 0.0))

    def log_probability_of_any(self, actions: Bool[Array, " B"]) -> Scalar:
        """log of the probability of these actions together, in nats."""
        allowed = jnp.where(actions, self.logits, -jnp.inf)
        return jax.nn.logsumexp(allowed) - jax.nn.logsumexp(self.logits)

    def entropy(self) -> Scalar:
        """-sum p log p, in nats."""
        log = jax.nn.log_softmax(self.logits)
        return -jnp.sum(jnp.exp(log) * log)

    def mode(self) -> Int[Array, ""]:
        """The most probable action; NOT_FINITE where logits are not finite, as of `sample`."""
        action = jnp.argmax(self.logits).astype(jnp.int32)
        return jnp.where(jnp.all(jnp.isfinite(self.logits)), action, NOT_FINITE)


class SquashedGaussian(NamedTuple):
    """a = tanh(u), u ~ N(mean, exp(log_deviation)^2) in each component: a Continuous space.

    `log_deviation` counts within LOG_DEVIATIONS.
    """

    mean: Float[Array, " B"]
    log_deviation: Float[Array, " B"]

    @property
    def deviation(self) -> Float[Array, " B"]:
        """The standard deviation of u."""
        return jnp.exp(jnp.clip(self.log_deviation, *LOG_DEVIATIONS))

    def sample(self, key: PRNGKey) -> Float[Array, " B"]:
        """tanh(mean + deviation * noise); NaN where the mean or the deviation is not finite."""
        noise = jax.random.normal(key, self.mean.shape)
        return self._squashed(self.mean + self.deviation * noise)

    def log_probability(self, action: Float[Array, " B"]) -> Scalar:
        """log of the density at `action`: log N(u; mean, deviation) - log(1 - tanh(u)^2), summed.

        u is the inverse of the squashing, a constant for gradients. At the bounds, where all that
        is beyond is put, the log of the probability of that: so E[gradient] stays 0.
        """
        action = jax.lax.stop_gradient(action)
        u = jnp.arctanh(jnp.clip(action, -1.0 + EDGE, 1.0 - EDGE))
        error = (u - self.mean) / self.deviation
        normal = -0.5 * (error**2 + math.log(2.0 * math.pi)) - jnp.log(self.deviation)
        beyond = log_ndtr(-jnp.sign(u) * error)
        return jnp.sum(jnp.where(jnp.abs(action) >= 1.0 - EDGE, beyond, normal - _log_slope(u)))

    def entropy(self) -> Scalar:
        """Of the squashed actions, in nats: H(u) + E[log(1 - tanh(u)^2)], the latter by quadrature.

        It has a maximum: a wide Gaussian is squashed to the two bounds.
        """
        nodes, weights = (jnp.asarray(x, jnp.float32) for x in QUADRATURE)
        u = self.mean[:, None] + self.deviation[:, None] * nodes[None]
        slope = dot(_log_slope(u), weights[:, None])[:, 0] / math.sqrt(2.0 * math.pi)
        gaussian = jnp.log(self.deviation) + 0.5 * math.log(2.0 * math.pi * math.e)
        return jnp.sum(gaussian + slope)

    def mode(self) -> Float[Array, " B"]:
        """The median in each component, tanh(mean)."""
        return self._squashed(self.mean)

    def _squashed(self, u: Float[Array, " B"]) -> Float[Array, " B"]:
        action = jnp.clip(jnp.tanh(u), -1.0 + EDGE, 1.0 - EDGE)
        finite = jnp.isfinite(self.mean) & jnp.isfinite(self.log_deviation)
        return jnp.where(finite, action, jnp.nan)


class Gaussian(NamedTuple):
    """a ~ N(mean, exp(log_deviation)^2) in each component: a Continuous space, beyond its bounds.

    What is sampled is what probabilities are of; an environment is given it clipped to [-1, 1].
    """

    mean: Float[Array, " B"]
    log_deviation: Float[Array, " B"]

    def sample(self, key: PRNGKey) -> Float[Array, " B"]:
        """mean + deviation * noise; NaN where the mean or the deviation is not finite."""
        noise = jax.random.normal(key, self.mean.shape)
        return self._finite(self.mean + jnp.exp(self.log_deviation) * noise)

    def log_probability(self, action: Float[Array, " B"]) -> Scalar:
        """log of the density at `action`, in nats."""
        error = (action - self.mean) * jnp.exp(-self.log_deviation)
        return jnp.sum(-0.5 * (error**2 + math.log(2.0 * math.pi)) - self.log_deviation)

    def entropy(self) -> Scalar:
        """sum (1 + log 2 pi) / 2 + log_deviation, in nats."""
        return jnp.sum(0.5 * (1.0 + math.log(2.0 * math.pi)) + self.log_deviation)

    def mode(self) -> Float[Array, " B"]:
        """The mean."""
        return self._finite(self.mean)

    def _finite(self, action: Float[Array, " B"]) -> Float[Array, " B"]:
        finite = jnp.isfinite(self.mean) & jnp.isfinite(self.log_deviation)
        return jnp.where(finite, action, jnp.nan)


Distribution = Categorical | SquashedGaussian | Gaussian


def distribution_of(space: ActionSpace, outputs: Float[Array, "B O"]) -> Distribution:
    """The distribution whose parameters are the first of O numbers for each action: its logit; or,
    if it is continuous, the first two, mean and log deviation."""
    if isinstance(space, Continuous):
        return SquashedGaussian(outputs[:, 0], outputs[:, 1])
    return Categorical(outputs[:, 0])


def encode(space: ActionSpace, action: Action) -> Float[Array, " B"]:
    """An action as `Percept` shows it: one-hot, or itself. A negative number gives zeros."""
    if isinstance(space, Continuous):
        return action
    return (jnp.arange(space.size) == action).astype(jnp.float32)


def decode(space: ActionSpace, encoded: Float[Array, " B"]) -> Action:
    """The action that `encode` shows so."""
    if isinstance(space, Continuous):
        return encoded
    return jnp.argmax(encoded).astype(jnp.int32)


def random_action(space: ActionSpace, key: PRNGKey) -> Action:
    """Every action with equal probability; continuous ones uniformly in [-1, 1]."""
    if isinstance(space, Continuous):
        return jax.random.uniform(key, (space.size,), minval=-1.0, maxval=1.0)
    return jax.random.randint(key, (), 0, space.size, dtype=jnp.int32)


def is_action(action: Action) -> Bool[Array, ""]:
    """Whether it could be sampled: the policy was finite."""
    if jnp.issubdtype(action.dtype, jnp.integer):
        return action >= 0
    return jnp.all(jnp.isfinite(action))


def are_actions(actions: np.ndarray) -> Bool[np.ndarray, " batch"]:
    """The same as `is_action`, for a batch of them in numpy."""
    if np.issubdtype(actions.dtype, np.integer):
        return actions >= 0
    return np.isfinite(actions).all(axis=-1)


def _log_slope(u: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """log(1 - tanh(u)^2), without cancellation."""
    return 2.0 * (math.log(2.0) - u - jax.nn.softplus(-2.0 * u))
