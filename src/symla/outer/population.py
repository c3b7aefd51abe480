"""A population of agents that live on: who lives where, births, and the steps of a generation.

The agents of one environment are a group, on a leading axis.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from symla.algorithms.base import HasCritic
from symla.algorithms.parts.replay import Replay, is_replay
from symla.core.errors import SettingError
from symla.core.trees import all_finite, size_in_bytes
from symla.core.types import Params, PRNGKey, Rollout, State
from symla.lifetimes import host_learning, learning
from symla.lifetimes.host import is_on_host, spec_of
from symla.lifetimes.host_learning import HostLearning
from symla.lifetimes.learning import LearningLife
from symla.outer.lifetime_gradients import one_by_one
from symla.runtime.devices import copies_in_memory, spread
from symla.runtime.machine import MEMORY, available_memory

Agents = LearningLife | HostLearning  # of a group, where worlds are in JAX or on the host


class Place(NamedTuple):
    """What stays the same of an agent of the population, whoever lives in its place."""

    number: Int[Array, " n"]
    led: Bool[Array, " n"]  # by its critic alone
    offset: Int[Array, " n"]  # generations by which its rebirth is earlier


def numbers_of(population: int, groups: int) -> list[Int[np.ndarray, " n"]]:
    """Which agents are of each group: number p is of group p modulo how many there are."""
    return [np.arange(index, population, groups) for index in range(groups)]


def places_of(population: int, groups: int, led: float, turns: int) -> list[Place]:
    """Of each group: so large a share of its agents is led, and their rebirths are spread evenly
    over the `turns` generations of a life."""
    found = []
    for number in numbers_of(population, groups):
        own = np.arange(number.size)
        is_led = np.floor((own + 1) * led) > np.floor(own * led)
        offset = own * turns // number.size
        found.append(
            Place(
                jnp.asarray(number, jnp.int32), jnp.asarray(is_led), jnp.asarray(offset, jnp.int32)
            )
        )
    return found


def born(
    algorithm: HasCritic,
    environment: Any,
    params: Params,
    places: Place,
    key: PRNGKey,
    longest: int,
) -> Agents:
    """A group before its first step, of lives of at most `longest` steps in each environment."""
    if is_on_host(environment):
        keys = _keys(key, places.number)
        return host_learning.born(algorithm, environment, params, keys, longest)

    def one(number: Array, params: Params, key: PRNGKey) -> LearningLife:
        own = jax.random.fold_in(key, number)
        return learning.born(algorithm, environment, params, own)

    return spread(each_agent(one))(places.number, params, key)


def each_agent(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(agent, *shared)` of all agents, on a leading axis. On a CPU of one after the other,
    which is faster, and how many there are on a device does not show in the last bits."""
    if jax.default_backend() == "cpu":
        barrier = jax.lax.optimization_barrier
        return one_by_one(lambda own, *shared: barrier(function(barrier(own), *shared)))
    return lambda agents, *shared: jax.vmap(lambda own: function(own, *shared))(agents)


def live_in_jax(
    algorithm: HasCritic,
    environment: Any,
    params: Params,
    life: LearningLife,
    renewed: tuple[Bool[Array, " n"], Key[Array, " n"]],
    steps: int,
) -> tuple[LearningLife, Float[Array, " n"]]:
    """So many more steps of each agent, remembered, and what it earned in an environment.

    `renewed` says who is born again first, and from which keys.
    """
    which, keys = renewed
    born_anew = partial(learning.born, algorithm, environment, params)

    def live(life: LearningLife) -> tuple[LearningLife, Array]:
        after, rollout, happened = learning.collect(algorithm, environment, params, life, steps)
        learner = algorithm.remember(after.learner, rollout)
        return after._replace(learner=learner), jnp.sum(happened.reward) / algorithm.workers

    return each_agent(live)(chosen(which, each_agent(born_anew)(keys), life))


def live_on_host(
    algorithm: HasCritic,
    environment: Any,
    params: Params,
    life: HostLearning,
    renewed: tuple[Bool[Array, " n"], Key[Array, " n"]],
    steps: int,
    longest: int,
) -> tuple[HostLearning, Float[Array | np.ndarray, " n"]]:
    """The same where worlds are on the host: only what learners make of it is compiled."""
    which, keys = renewed
    if np.asarray(which).any():
        fresh = host_learning.born(algorithm, environment, params, keys, longest)
        workers = jnp.repeat(which, algorithm.workers)
        life = HostLearning(
            _chosen(which, fresh.learner, life.learner),
            _chosen(workers, fresh.lives, life.lives),
            _chosen(workers, fresh.earned, life.earned),
        )
    life, rollout, happened = host_learning.collect(algorithm, environment, params, life, steps)
    learner = _remembered(algorithm, life.learner, rollout)
    return life._replace(learner=learner), happened.reward.sum(axis=1) / algorithm.workers


def check_memory(algorithm: HasCritic, environments: Sequence[Any], population: int) -> None:
    """Raises SettingError, with how much is needed, for agents whose states do not fit in memory,
    which holds those before a generation and those after it, of all on each device."""

    def state_of(environment: Any) -> Any:
        def begin(key: PRNGKey) -> State:
            spec = spec_of(environment)
            return algorithm.init_state(algorithm.init_params(key, spec), key, spec)

        return jax.eval_shape(begin, jax.random.key(0))

    numbers = numbers_of(population, len(environments))
    each = [len(own) * size_in_bytes(state_of(e)) for own, e in zip(numbers, environments)]
    needed, there = 2 * sum(each) * copies_in_memory(), available_memory()
    if there is not None and needed > MEMORY * there:
        raise SettingError(
            f"{population} agents need {needed / 1e9:.1f} GB, most of it for replay buffers, and "
            f"{there / 1e9:.1f} GB are there: take fewer agents, or give them a smaller capacity "
            "(metagenrl,capacity=100000)"
        )


def ages_of(life: Agents, workers: int) -> Int[Array, " n"]:
    """Steps lived in each environment."""
    return jnp.asarray(life.lives.age[::workers] if isinstance(life, HostLearning) else life.age)


def are_whole(learners: State) -> Bool[Array, " n"]:
    """Whose weights are finite numbers, all of them."""
    return jax.vmap(lambda one: all_finite(_without_rows(one)))(learners)


def chosen(which: Bool[Array, " n"], new: Any, old: Any) -> Any:
    """The `new` of those, the `old` of all others. Rows of replay buffers stay where they are: the
    new buffer counts none of them as its own."""

    def choose(new: Any, old: Any) -> Any:
        if isinstance(new, Replay):
            added, identity = map(choose, new[1:], old[1:])
            return Replay(old.transitions, added, identity)
        return jnp.where(which.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, new, old, is_leaf=is_replay)


def _without_rows(tree: Any) -> Any:
    def strip(x: Any) -> Any:
        return x._replace(transitions=()) if is_replay(x) else x

    return jax.tree.map(strip, tree, is_leaf=is_replay)


@jax.jit
def _keys(key: PRNGKey, numbers: Int[Array, " n"]) -> Key[Array, " n"]:
    return jax.vmap(partial(jax.random.fold_in, key))(numbers)


_chosen = jax.jit(chosen)


@partial(jax.jit, static_argnames="algorithm")
def _remembered(algorithm: HasCritic, learner: State, rollout: Rollout) -> State:
    return jax.vmap(algorithm.remember)(learner, rollout)
