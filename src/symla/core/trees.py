"""Small functions on pytrees of arrays."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Whether no number in any floating-point leaf is NaN or infinite."""
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.all(jnp.array([True, *(jnp.all(jnp.isfinite(leaf)) for leaf in leaves)]))


def with_axes_of(x: Any, mask: Any) -> Any:
    """A mask of the first axis of `x`, with as many axes; of jax or of numpy."""
    return mask.reshape(-1, *[1] * (x.ndim - 1))


def global_norm(tree: PyTree[Array]) -> Float[Array, ""]:
    """The Euclidean norm of all leaves together."""
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


def size_in_bytes(tree: Any) -> int:
    """Of all arrays, or of their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
