"""What is seen of a state: the kinds of observations."""

from math import isqrt, sqrt
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import below, whole_number

Kind = Literal["one-hot", "paired", "dense", "projected"]


class StateView(NamedTuple):
    """An observation is features[s] + x . system + noise * z, with z uniform in [-1, 1]."""

    features: Float[Array, "S A"]
    system: Float[Array, "D A"]
    noise: Float[Array, " A"]


def draw_view(
    key: PRNGKey,
    kinds: tuple[Kind, ...],
    shown: Int[Array, " S"],
    states: Int[Array, ""],
    dimensions: int,
    size: int,
    irrelevant: float,
) -> StateView:
    """A view of a table's states and of a linear system, of one of the `kinds`.

    "one-hot": a state is an input of its own; "paired": it is two of them, as a row and a column;
    "dense": it is a normal number at each input; "projected": as one-hot, but through a random
    linear map to some of the inputs. What is shown of a system are its numbers, each at an input of
    its own, or for the last two kinds mixed by that map. Which input is which is drawn. With the
    probability `irrelevant` each input that shows nothing is noise.
    """
    keys = jax.random.split(key, 7)
    S, D, A = shown.size, dimensions, size
    slots = jax.random.permutation(keys[0], A)
    mixing = jax.random.normal(keys[1], (S + D, A))
    kept = whole_number(keys[2], max(1, A // 2), A)
    few = jnp.where((jnp.arange(A) < kept)[None], sqrt(2.0 / A) * mixing, 0.0)
    width = isqrt(S - 1) + 1 if S > 1 else 1
    row, column = jnp.arange(S) // width, (S - 1) // width + 1 + jnp.arange(S) % width
    own = jnp.eye(D, A)
    views = {
        "one-hot": (jnp.eye(S, A), own),
        "paired": (jax.nn.one_hot(row, A) + jax.nn.one_hot(column, A), own),
        "dense": (mixing[:S], mixing[S:] / sqrt(D)),
        "projected": (few[:S], few[S:] / sqrt(D)),
    }
    drawn = below(keys[3], len(kinds))
    tables, systems = zip(*(views[kind] for kind in kinds))
    features, system = jnp.stack(tables)[drawn], jnp.stack(systems)[drawn]
    features, system = features[shown][:, slots], system[:, slots]
    real = (jnp.arange(S) < states)[:, None]
    says = jnp.any((features != 0) & real, axis=0) | jnp.any(system != 0, axis=0)
    noisy = (jax.random.uniform(keys[4]) < irrelevant) & ~says
    return StateView(features, system, jnp.where(noisy, jax.random.uniform(keys[5]), 0.0))


def needed_size(kinds: tuple[str, ...], states: int) -> int:
    """The least number of inputs with which all of the kinds tell so many states apart."""
    width = isqrt(states - 1) + 1 if states > 1 else 1
    least = {"one-hot": states, "paired": (states - 1) // width + 1 + width}
    return max(least.get(kind, 1) for kind in kinds)


def see(
    view: StateView, cell: Int[Array, ""], x: Float[Array, " D"], uniform: Float[Array, " A"]
) -> Array:
    """The observation [A] of a state, with numbers drawn from [0, 1)."""
    mixed = jnp.sum(x[:, None] * view.system, axis=0)
    return view.features[cell] + mixed + view.noise * (2.0 * uniform - 1.0)
