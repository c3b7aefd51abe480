"""Returns of whole lifetimes: the evidence of outer loops that need no gradient."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from symla.core.types import Params, PRNGKey
from symla.environments.base import Environment
from symla.lifetimes.lifetime import lifetime
from symla.outer.base import Candidates, Setting
from symla.runtime.devices import spread


class Returns(NamedTuple):
    """The evidence of evolution strategies."""

    returns: Float[Array, " P"]


def population_returns(
    setting: Setting, environment: Environment, candidates: Candidates, key: PRNGKey
) -> Float[Array, " P"]:
    """The mean return of each candidate over its lifetimes, spread over all devices.

    Lifetime e of group g follows from (key, g, e) alone, and the returns are gathered before
    anything is summed: so the number of devices does not change a bit of the result.
    """
    groups, population = candidates.group.size, jax.tree.leaves(candidates.params)[0].shape[0]

    def by_group(x):
        return x.reshape(population // groups, groups, *x.shape[1:]).swapaxes(0, 1)

    members = jax.tree.map(by_group, candidates.params)
    run = spread(jax.vmap(partial(group_returns, setting, environment), (0, None)))
    return run((members, candidates.group), key).T.reshape(population)


def group_returns(
    setting: Setting,
    environment: Environment,
    group: tuple[Params, Int[Array, ""]],
    key: PRNGKey,
) -> Float[Array, " K"]:
    """The mean return of each of the K = P / G members of a group.

    They share the keys of their lifetimes, not only in value but as one array without an axis for
    the members: whatever is random is drawn once for all of them.
    """
    members, number = group
    keys = lifetime_keys_of_group(key, number, setting.lifetimes)

    def member_return(params):
        def one(key):
            arguments = setting.algorithm, environment, params, key, setting.length
            return lifetime(*arguments, record=None)[0]

        return jnp.mean(jax.vmap(one)(keys))

    return jax.vmap(member_return)(members)


def lifetime_keys_of_group(key: PRNGKey, group: Int[Array, ""], lifetimes: int) -> Key[Array, " E"]:
    """The keys of the lifetimes that every candidate of a group lives, on a leading axis."""
    return jax.vmap(partial(jax.random.fold_in, jax.random.fold_in(key, group)))(
        jnp.arange(lifetimes)
    )
