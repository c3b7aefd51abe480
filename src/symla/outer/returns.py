"""Returns of whole lifetimes: the evidence of outer loops that need no gradient."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from symla.algorithms.base import LearnsFromRollouts
from symla.algorithms.step_by_step import step_by_step
from symla.core.types import Params, PRNGKey
from symla.environments.base import Environment
from symla.lifetimes.host import host_lifetimes, is_on_host
from symla.lifetimes.learning import lived_whole
from symla.lifetimes.lifetime import lifetime
from symla.outer.base import Candidates, Setting
from symla.runtime.devices import gather_shares, local, own_devices, share, spread, use_devices


class Returns(NamedTuple):
    """The evidence of evolution strategies."""

    returns: Float[Array, " P"]


def population_returns(
    setting: Setting, environment: Any, candidates: Candidates, key: PRNGKey
) -> Float[Array, " P"]:
    """The mean return of each candidate over its lifetimes, spread over all devices.

    Lifetime e of group g follows from (key, g, e) alone, and the returns are gathered before
    anything is summed: so the number of devices does not change a bit of the result. Where the
    environment is on the host, this function cannot be compiled.
    """
    if is_on_host(environment):
        return _host_returns(setting, environment, candidates, key)
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
        one = partial(_return_of, setting, environment, params)
        return jnp.mean(jax.vmap(one)(keys))

    return jax.vmap(member_return)(members)


def _return_of(
    setting: Setting, environment: Environment, params: Params, key: PRNGKey
) -> Float[Array, ""]:
    """Of a whole lifetime; of what learns from rollouts, of its last part, as the outer loop has
    it, and of one environment."""
    algorithm = setting.algorithm
    if not isinstance(algorithm, LearnsFromRollouts):
        return lifetime(algorithm, environment, params, key, setting.length, record=None)[0]
    stretches = setting.length // algorithm.interval
    earned = lived_whole(algorithm, environment, params, key, stretches)
    return jnp.sum(earned[-_counted(setting, stretches) :])


def _counted(setting: Setting, stretches: int) -> int:
    """How many of the last stretches of a lifetime count."""
    return max(1, round(stretches * getattr(setting.outer, "counted", 1.0)))


def lifetime_keys_of_group(key: PRNGKey, group: Int[Array, ""], lifetimes: int) -> Key[Array, " E"]:
    """The keys of the lifetimes that every candidate of a group lives, on a leading axis."""
    return jax.vmap(partial(jax.random.fold_in, jax.random.fold_in(key, group)))(
        jnp.arange(lifetimes)
    )


HOST_COPIES = 256  # of an environment on the host, at most: more lifetimes wait for their turn


def _host_returns(
    setting: Setting, environment: Any, candidates: Candidates, key: PRNGKey
) -> Float[Array, " P"]:
    """As `population_returns`, in processes of their own; those of `--distributed` share it out."""
    P, G, E = setting.outer.population, candidates.group.size, setting.lifetimes
    every, group, key = local((candidates.params, candidates.group, key))
    mine = share(P)
    fits = (n for n in range(1, len(mine) + 1) if len(mine) % n == 0 and n * E <= HOST_COPIES)
    at_once = max(fits, default=1)
    returns = np.zeros(len(mine), np.float32)
    first_counted = 0
    if isinstance(setting.algorithm, LearnsFromRollouts):
        interval = setting.algorithm.interval
        first_counted = setting.length - interval * _counted(setting, setting.length // interval)
    for begin in range(0, len(mine), at_once):
        numbers = np.arange(mine[begin], mine[begin] + at_once)
        params = jax.tree.map(lambda x, own=numbers: x[own], every)
        totals = np.zeros(at_once * E, np.float64)
        with use_devices(own_devices()):
            keys = host_keys(key, group[numbers % G], E)
            lived = host_lifetimes(
                step_by_step(setting.algorithm),
                environment,
                params,
                keys,
                setting.length,
                int(mine[begin]) * E,
                at_once,
            )
            for step, transition in enumerate(lived):
                totals += transition.reward if step >= first_counted else 0.0
        returns[begin : begin + at_once] = totals.reshape(at_once, E).mean(axis=1)
    return jnp.asarray(gather_shares(returns, P))


@partial(jax.jit, static_argnames="lifetimes")
def host_keys(key: PRNGKey, groups: Int[Array, " n"], lifetimes: int) -> Key[Array, " lives"]:
    """Of the lifetimes of each group, one after the other."""
    return jax.vmap(lambda g: lifetime_keys_of_group(key, g, lifetimes))(groups).reshape(-1)
