"""Lifetimes that are lived on the host first, and whose gradient is taken afterwards."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key

from symla.algorithms.base import Differentiable
from symla.core.types import Params
from symla.lifetimes import host_lives
from symla.lifetimes.host_lives import HostLives
from symla.lifetimes.perceived import SamplesPolicy
from symla.lifetimes.percepts import LastStep


def host_born(
    algorithm: Differentiable, environment: Any, params: Params, keys: Any, lifetime: int
) -> HostLives:
    """Lives before their first step, [n, E]: E keys for each of n meta-parameters, in turn."""
    count = jax.tree.leaves(params)[0].shape[0]
    acting = SamplesPolicy(algorithm.differentiable())
    lives = host_lives.born(acting, environment, params, keys, lifetime, count)
    return _by_candidate(lives, count)


def live_before_learning(
    algorithm: Differentiable,
    environment: Any,
    params: Params,
    keys: Key[Array, " lives"],
    lives: HostLives | None,
    length: int,
    lifetime: int,
    first: int,
) -> tuple[Any, LastStep, HostLives]:
    """The next `length` steps of lives [n, E]; those that have lived `lifetime` steps begin anew.

    Returns what learners begin with: their states [n, E], or, without lives, the keys of whole
    lifetimes; what was seen [n, E, length + 1], as `host_lives.live_on` has it; and the lives
    after. `first` is the number of the first lifetime in messages.
    """
    fresh = host_born(algorithm, environment, params, keys, lifetime or length)
    begin = fresh if lives is None else renewed(lives.age >= lifetime, fresh, lives)
    count = len(begin.age)
    acting = SamplesPolicy(algorithm.differentiable())
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), begin)
    after, seen = host_lives.live_on(acting, environment, params, flat, length, count, first)
    seen = _by_candidate(jax.tree.map(lambda x: x.swapaxes(0, 1), seen), count)
    start = keys.reshape(count, -1) if lives is None else begin.learner
    return start, seen, _by_candidate(after, count)


def renewed(old: Bool[Array | np.ndarray, "*E"], fresh: Any, lives: Any) -> Any:
    """The lives, but the `fresh` ones in place of the `old`."""

    def choose(new: Any, now: Any) -> Any:
        return jnp.where(old.reshape(*old.shape, *[1] * (now.ndim - old.ndim)), new, now)

    return jax.tree.map(choose, fresh, lives)


def _by_candidate(tree: Any, candidates: int) -> Any:
    return jax.tree.map(lambda x: x.reshape(candidates, -1, *x.shape[1:]), tree)
