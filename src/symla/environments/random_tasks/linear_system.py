"""Linear systems that run away from their set point unless something is done."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.linear_algebra import orthogonal
from symla.core.types import PRNGKey, Scalar
from symla.environments.random_tasks.draws import (
    Bounds,
    Draw,
    below,
    happens,
    number,
    of_system,
    whole_number,
)

EDGE = 3.0  # distance from zero at which an episode ends


def linear_system(key: PRNGKey, bounds: Bounds) -> Draw:
    """1 to D numbers, to be held at a set point, in half of the tasks away from zero.

    Either they turn and grow by 2 to 10% a step, or they are a position and a speed, pushed away
    from the set point. Actions push along one direction, by amounts from -1 to 1 at equal
    distances, 2 to B of them. The reward is minus the squared distance to the set point, or 1 a
    step, or nothing. Running beyond +-3 ends the episode, and costs 1; or nothing, in half of the
    tasks that pay a step.
    """
    keys = jax.random.split(key, 11)
    B, D = bounds.actions, bounds.dimensions
    size = whole_number(keys[0], 1, D)
    swings = happens(keys[5], 0.5) & (size > 1)
    size = jnp.where(swings, 2, size)
    real = (jnp.arange(D) < size).astype(jnp.float32)
    actions = whole_number(keys[1], 2, B)
    turns = _turning(keys[2], real, number(keys[3], 1.02, 1.1))
    moves, pushes = _moving(real, number(keys[4], 0.0, 0.15))
    direction = jax.random.normal(keys[6], (D,)) * real
    direction = 0.4 * direction / jnp.sqrt(jnp.sum(direction**2) + 1e-6)
    direction = jnp.where(swings, 0.3 * pushes, direction)
    amounts = 2.0 * jnp.arange(1.0 * B) / (actions - 1).astype(jnp.float32) - 1.0
    target = jnp.where(happens(keys[7], 0.5), jax.random.uniform(keys[8], (D,), minval=-1.0), 0.0)
    kind = below(keys[9], 3)
    pay = jnp.where(kind == 1, 1.0, 0.0)
    return of_system(
        bounds, actions, pay,
        transition=jnp.where(swings, moves, turns),
        control=amounts[:, None] * direction[None],
        target=target * real,
        weight=real / size.astype(jnp.float32),
        paid=jnp.where(kind == 0, 1.0, 0.0),
        noise=0.02 * real,
        start=0.5 * real,
        edge=jnp.asarray(EDGE),
        fall=jnp.where((kind == 1) & happens(keys[10], 0.5), 0.0, -1.0),
    )  # fmt: skip


def _turning(key: PRNGKey, real: Float[Array, " D"], growth: Scalar) -> Float[Array, "D D"]:
    """A random rotation within the dimensions that there are, times the growth."""
    D = real.size
    random = jax.random.normal(key, (D, D)) * real[:, None] * real[None]
    turn = orthogonal(random + jnp.diag(1.0 - real))
    return growth * turn * real[:, None] * real[None]


def _moving(
    real: Float[Array, " D"], push: Scalar
) -> tuple[Float[Array, "D D"], Float[Array, " D"]]:
    """A position that moves by 0.3 times the speed behind it, and pushes that; and the speed."""
    D = real.size
    position, speed = jax.nn.one_hot(0, D), jax.nn.one_hot(1, D)
    both = push * position[:, None] * speed[None] + 0.3 * speed[:, None] * position[None]
    return jnp.diag(real) + both, speed
