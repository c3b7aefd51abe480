"""One generation: ask, live, tell. All of it runs on the device.

ask -> lifetimes of all candidates, spread over devices -> tell

Room: before `train`, whose host loop runs it in chunks.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.algorithms.base import LearningAlgorithm
from symla.core.errors import require
from symla.core.types import Params, PRNGKey, State
from symla.environments.base import Environment
from symla.lifetimes.lifetime import lifetime
from symla.outer import PolicyGradient
from symla.outer.base import Candidates, OuterLoop
from symla.outer.through_lifetime import lesson
from symla.runtime.devices import everywhere, spread
from symla.training.metrics import Metrics


@dataclass(frozen=True)
class Training:
    """Everything a generation depends on but its state. Hashable: one compilation a Training.

    `lifetimes` are lived by each candidate, each `length` steps long. Generations go round the
    `environments`, one each: they may differ in size where the algorithm can take any. Raises
    SettingError outside ranges.
    """

    algorithm: LearningAlgorithm
    environments: tuple[Environment, ...]
    outer: OuterLoop
    lifetimes: int
    length: int
    seed: int

    def __post_init__(self):
        require(len(self.environments) >= 1, "there must be an environment to train on")
        require(self.lifetimes >= 1, f"lifetimes must be at least 1, got {self.lifetimes}")
        require(self.length >= 1, f"length must be at least 1 step, got {self.length}")
        require(0 <= self.seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {self.seed}")


def init(training: Training, start: Params | None = None) -> State:
    """The outer loop's state before the first generation, from `start` or fresh meta-parameters."""
    if start is not None:
        return training.outer.init(start)
    key = jax.random.fold_in(jax.random.key(training.seed), 0xFFFFFFFF)
    return training.outer.init(training.algorithm.init_params(key, training.environments[0].spec))


def generation(
    training: Training, key: PRNGKey, state: State, number: Int[Array, ""]
) -> tuple[State, Metrics]:
    """Ask, live, tell. All its randomness follows from (key, number).

    The state stays as it was if what comes of it is not finite: `Metrics.sound` says so.
    """
    key = jax.random.fold_in(key, number)
    noise_key, lifetimes_key = jax.random.split(key)
    candidates = training.outer.ask(noise_key, state)
    live = lessons if isinstance(training.outer, PolicyGradient) else trials
    candidates, returns = jax.lax.switch(
        number % len(training.environments),
        [partial(live, training, e) for e in training.environments],
        candidates,
        lifetimes_key,
    )

    def learn(state, candidates, returns):
        after = training.outer.tell(state, candidates, returns)
        before, params = training.outer.params(state), training.outer.params(after)
        update, size = _norm(jax.tree.map(jnp.subtract, params, before)), _norm(params)
        sound = jnp.any(jnp.isfinite(returns)) & _finite((after, update, size))
        kept = jax.tree.map(lambda new, old: jnp.where(sound, new, old), after, state)
        return kept, Metrics(returns, update, size, sound)

    return everywhere(learn)(state, candidates, returns)


def trials(
    training: Training, environment: Environment, candidates: Candidates, key: PRNGKey
) -> tuple[Candidates, Float[Array, " P"]]:
    """For outer loops that learn from returns alone."""
    return candidates, population_returns(training, environment, candidates, key)


def lessons(
    training: Training, environment: Environment, candidates: Candidates, key: PRNGKey
) -> tuple[Candidates, Float[Array, " P"]]:
    """For a policy gradient: each candidate brings home what its lifetimes taught it.

    Lessons are gathered before they are averaged, as returns are.
    """

    def one(candidate, baseline, key):
        params, group = candidate
        group_key = jax.random.fold_in(key, group)
        keys = jax.vmap(partial(jax.random.fold_in, group_key))(jnp.arange(training.lifetimes))
        setting = training.outer, training.algorithm, environment
        return lesson(*setting, params, baseline, keys, training.length)

    over_devices = spread(jax.vmap(one, (0, None, None)))
    learned, returns = over_devices((candidates.params, candidates.group), candidates.extra, key)
    return candidates._replace(extra=learned), returns


def population_returns(
    training: Training,
    environment: Environment,
    candidates: Candidates,
    key: PRNGKey,
) -> Float[Array, " P"]:
    """The mean return of each candidate over its lifetimes, spread over all devices.

    Lifetime e of group g follows from (key, g, e) alone, and the returns are gathered before
    anything is summed: so the number of devices does not change a bit of the result.
    """
    groups, population = candidates.group.size, jax.tree.leaves(candidates.params)[0].shape[0]

    def by_group(x):
        return x.reshape(population // groups, groups, *x.shape[1:]).swapaxes(0, 1)

    members = jax.tree.map(by_group, candidates.params)
    live = spread(jax.vmap(partial(group_returns, training, environment), (0, None)))
    return live((members, candidates.group), key).T.reshape(population)


def group_returns(
    training: Training,
    environment: Environment,
    group: tuple[Params, Int[Array, ""]],
    key: PRNGKey,
) -> Float[Array, " K"]:
    """The mean return of each of the K members of a group.

    They share the keys of their lifetimes, not only in value but as one array without an axis for
    the members: whatever is random is drawn once for all of them.
    """
    members, number = group
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.fold_in(key, number)))(
        jnp.arange(training.lifetimes)
    )

    def member_return(params):
        def one(key):
            arguments = training.algorithm, environment, params, key
            return lifetime(*arguments, training.length, record=False)[0]

        return jnp.mean(jax.vmap(one)(keys))

    return jax.vmap(member_return)(members)


def _finite(tree: Any) -> Bool[Array, ""]:
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))


def _norm(tree: Params) -> Float[Array, ""]:
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))
