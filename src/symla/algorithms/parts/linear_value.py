"""A linear value function that is fitted in closed form, again after each rollout."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.parts.advantages import advantages
from symla.algorithms.parts.linear_baseline import LIMIT
from symla.core.linear_algebra import solve
from symla.core.networks import dot
from symla.core.types import PRECISION, Rollout, Spec

RIDGE = 1e-3  # in steps: so much counts that there was nothing to be learned
KEEP = 0.8  # of the weight of earlier rollouts, when there is a new one


class LinearValue(NamedTuple):
    """V(s), a linear map of the features x of an observation, and what it is fitted to.

    They are the observation, its square and 1; of a one-hot observation itself alone: then V is a
    table, and x x^T has a diagonal only.
    """

    weights: Float[Array, " features"]
    gram: Float[Array, "features features"] | Float[Array, " features"]  # sum of x x^T
    moment: Float[Array, " features"]  # sum of x times its target


def init_value(spec: Spec) -> LinearValue:
    """V = 0."""
    if spec.one_hot:
        nothing = jnp.zeros(spec.observation_size)
        return LinearValue(nothing, nothing, nothing)
    size = 2 * spec.observation_size + 1
    return LinearValue(jnp.zeros(size), jnp.zeros((size, size)), jnp.zeros(size))


def refitted(
    value: LinearValue, rollout: Rollout, discount: float, trace: float
) -> tuple[Float[Array, "steps W"], LinearValue]:
    """The generalised advantages of a rollout by the value function as it is, and that function
    fitted to their targets; what it was fitted to before counts less each time."""
    size = value.weights.size

    def values(observation: Float[Array, "steps W A"]) -> Float[Array, "steps W"]:
        return dot(features(observation, size), value.weights[:, None])[..., 0]

    found = advantages(rollout, values, discount, trace)
    known = found.known.reshape(-1, 1)
    x = jnp.where(known, features(rollout.observation, size).reshape(-1, size), 0.0)
    moment = KEEP * value.moment + dot(x.T, found.target.reshape(-1, 1))[:, 0]
    if value.gram.ndim == 1:
        gram = KEEP * value.gram + jnp.sum(x**2, axis=0)
        weights = moment / (gram + RIDGE)
    else:
        gram = KEEP * value.gram + jnp.matmul(x.T, x, precision=PRECISION)
        weights = solve(gram + RIDGE * jnp.eye(size), moment)
    return found.advantage, LinearValue(weights, gram, moment)


def features(observation: Float[Array, "*steps A"], size: int) -> Float[Array, "*steps features"]:
    """Observation, its square and 1, if there are so many features."""
    seen = jnp.clip(observation, -LIMIT, LIMIT)
    if size == seen.shape[-1]:
        return seen
    return jnp.concatenate([seen, seen**2, jnp.ones_like(seen[..., :1])], axis=-1)
