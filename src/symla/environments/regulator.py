"""The linear-quadratic regulator: how a linear system is best held at zero."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.linear_algebra import solve
from symla.core.types import PRECISION

DOUBLINGS = 10  # of the Riccati equation: 1,024 steps of its plain iteration


def cost_to_go(
    transition: Float[Array, "D D"],
    control: Float[Array, "B D"],
    weight: Float[Array, " D"],
    effort: float,
) -> Float[Array, "D D"]:
    """P of x' = x transition + u control: the least sum of weight . x'^2 + effort |u|^2 that is to
    come is (x transition + u control) P (...)' where u is the best there is, and it solves

        P = Q + A' P A - A' P C (R + C' P C)^-1 C' P A

    with A and C the transposes of transition and control, Q = diag(weight), R = effort I. By the
    structure-preserving doubling algorithm (Chu et al. 2004): each round doubles the steps.
    """
    D = weight.size

    def product(*matrices: Array) -> Array:
        return jnp.linalg.multi_dot(matrices, precision=PRECISION)

    def double(_: Array, now: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        A, G, H = now
        solved = solve(jnp.eye(D) + product(G, H), jnp.concatenate([A, G], axis=1))
        WA, WG = solved[:, :D], solved[:, D:]
        return product(A, WA), G + product(A, WG, A.T), H + product(A.T, H, WA)

    A, C = transition.T, control.T
    start = A, product(C, C.T) / effort, jnp.diag(weight)
    return jax.lax.fori_loop(0, DOUBLINGS, double, start)[2]


def regulate(
    transition: Float[Array, "D D"],
    control: Float[Array, "B D"],
    cost: Float[Array, "D D"],
    effort: float,
    x: Float[Array, " D"],
) -> Float[Array, " B"]:
    """The best control at x, u = -(R + C' P C)^-1 C' P A x, of any size; `cost` is P."""
    pushed = jnp.linalg.multi_dot([control, cost, control.T], precision=PRECISION)
    drift = jnp.linalg.multi_dot([x, transition, cost, control.T], precision=PRECISION)
    return -solve(effort * jnp.eye(len(control)) + pushed, drift)
