"""Small linear systems, without LAPACK.

jaxlib's batched LAPACK calls wait for threads of the pool that they run in themselves: where two
devices share a CPU, as lifetimes do here, both may wait for ever (jaxlib 0.10.2, two cores).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.types import PRECISION


def solve(A: Float[Array, "n n"], b: Float[Array, "*rows"]) -> Float[Array, "*rows"]:
    """x of A x = b, by Gauss-Jordan elimination with partial pivoting: n rounds over [A b].

    b has n rows, of one number or several. Not finite where A is singular. A vmap solves many.
    """
    n = A.shape[0]
    known = b.reshape(n, -1)

    def eliminate(rows: Array, i: Array) -> tuple[Array, None]:
        column = jax.lax.dynamic_index_in_dim(rows, i, axis=1, keepdims=False)
        size = jnp.where(jnp.arange(n) >= i, jnp.abs(column), -1.0)
        best = jnp.argmax(size)
        upper, lower = rows[best], rows[i]
        scaled = upper / jax.lax.dynamic_index_in_dim(upper, i, keepdims=False)
        swapped = rows.at[best].set(lower)
        factors = column.at[best].set(column[i]).at[i].set(0.0)
        return (swapped - factors[:, None] * scaled[None]).at[i].set(scaled), None

    rows = jnp.concatenate([A, known], axis=1)
    rows, _ = jax.lax.scan(eliminate, rows, jnp.arange(n))
    return rows[:, n:].reshape(b.shape)


def orthogonal(A: Float[Array, "n m"]) -> Float[Array, "n m"]:
    """Q of A = Q R, where n >= m and the diagonal of R is positive: Gram-Schmidt, each column
    twice, which leaves them orthogonal to rounding."""

    def add(found: Array, i: Array) -> tuple[Array, None]:
        column = jax.lax.dynamic_index_in_dim(A, i, axis=1, keepdims=False)
        for _ in range(2):
            shares = jnp.dot(column, found, precision=PRECISION)
            column = column - jnp.dot(found, shares, precision=PRECISION)
        norm = jnp.dot(column, column, precision=PRECISION)
        return found.at[:, i].set(column * jax.lax.rsqrt(norm)), None

    return jax.lax.scan(add, jnp.zeros_like(A), jnp.arange(A.shape[1]))[0]
