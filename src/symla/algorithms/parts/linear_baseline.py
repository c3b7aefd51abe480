"""A linear baseline, fitted in closed form to the returns of a rollout (Duan et al. 2016)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from symla.core.linear_algebra import solve
from symla.core.networks import dot
from symla.core.types import PRECISION, Rollout

RIDGE = 1e-4  # of features whose mean square is 1
LIMIT = 10.0  # of an observation
HUNDRED = 100.0  # steps are counted in hundreds


def advantages(rollout: Rollout, discount: float) -> Float[Array, "steps W"]:
    """Discounted returns, up to the end of the episode or of the rollout, minus what a linear map
    of the features of the time and the state makes of them; scaled to mean 0 and variance 1."""
    returns = discounted_returns(rollout.reward, rollout.done, discount)
    return jax.nn.standardize(returns - fitted(features(rollout), returns), axis=None)


def discounted_returns(
    reward: Float[Array, "steps W"], done: Bool[Array, "steps W"], discount: float
) -> Float[Array, "steps W"]:
    """G_t = r_t + discount G_{t+1}, where G is 0 after the end of an episode, and of the rollout.

    A truncated step is not bootstrapped: what counts are episodes of limited length, and the
    baseline knows the time.
    """

    def step(later: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        reward, done = now
        total = reward + discount * jnp.where(done, 0.0, later)
        return total, total

    return jax.lax.scan(step, jnp.zeros_like(reward[0]), (reward, done), reverse=True)[1]


def features(rollout: Rollout) -> Float[Array, "steps W features"]:
    """Observation, its square, the first three powers of the time in the episode, and 1.

    The time is in hundreds of steps, from the start of the rollout in an episode that began before.
    """

    def step(time: Array, done: Array) -> tuple[Array, Array]:
        return jnp.where(done, 0.0, time + 1.0 / HUNDRED), time

    _, time = jax.lax.scan(step, jnp.zeros_like(rollout.reward[0]), rollout.done)
    seen = jnp.clip(rollout.observation, -LIMIT, LIMIT)
    times = jnp.stack([time, time**2, time**3, jnp.ones_like(time)], axis=-1)
    return jnp.concatenate([seen, seen**2, times], axis=-1)


def fitted(
    features: Float[Array, "steps W features"], target: Float[Array, "steps W"]
) -> Float[Array, "steps W"]:
    """What the linear map that is nearest to the targets, by ridge regression, makes of them."""
    x = features.reshape(-1, features.shape[-1])
    scale = jax.lax.rsqrt(jnp.mean(x**2, axis=0) + 1e-8)
    x = x * jnp.broadcast_to(scale, x.shape)
    count = float(x.shape[0])
    gram = jnp.matmul(x.T, x, precision=PRECISION) / count + RIDGE * jnp.eye(x.shape[1])
    moment = dot(x.T, target.reshape(-1, 1)) / count
    weights = solve(gram, moment)
    return dot(x, weights).reshape(target.shape)
