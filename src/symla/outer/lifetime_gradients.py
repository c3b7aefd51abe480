"""Gradients through lifetimes, or through stretches of lives that go on.

What outer loops share that learn so: they differ in the objective of a lifetime alone.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from symla.algorithms.base import Differentiable
from symla.core.errors import SettingError, require
from symla.core.optimisers import Optimiser
from symla.core.trees import all_finite, with_axes_of
from symla.core.types import Params, PRNGKey, Scalar, Spec, State
from symla.lifetimes.host import is_on_host, spec_of
from symla.lifetimes.lifetime import Life, born
from symla.lifetimes.percepts import lifetime_keys
from symla.outer.base import Candidates, Setting, copied
from symla.outer.on_host import host_born, live_before_learning, renewed
from symla.outer.returns import host_keys, lifetime_keys_of_group
from symla.outer.through_lifetime import (
    Steps,
    differentiable_lifetime,
    differentiable_record,
    differentiable_stretch,
)
from symla.runtime.devices import gather_shares, local, own_devices, share, spread, use_devices


class Baseline(NamedTuple):
    """Running means, over generations, of the discounted returns and of their squared error.

    One of each environment: unlike environments have unlike returns.
    """

    mean: Float[Array, " environments"]
    square: Float[Array, " environments"]


class GradientState(NamedTuple):
    """The state of an outer loop that follows a gradient through lifetimes."""

    params: Params
    optimizer: State
    baseline: Baseline


class Gradients(NamedTuple):
    """The evidence of such a loop, of each candidate."""

    returns: Float[Array, " P"]
    gradient: Params  # of the objective, stacked on a leading axis P
    mean: Float[Array, " P"]  # discounted return
    square: Float[Array, " P"]  # squared difference from the baseline, its mean
    environment: Int[Array, ""]  # where it was gathered


@runtime_checkable
class ThroughLifetimes(Protocol):
    """An outer loop whose evidence is the gradient of an objective of lifetimes.

    All `population` candidates have the same meta-parameters: they share out the lifetimes of a
    generation between devices.
    """

    @property
    def population(self) -> int:
        """Candidates of a generation."""
        ...

    @property
    def optimiser(self) -> Optimiser:
        """Whose clip is applied to the gradient of each candidate, too."""
        ...

    @property
    def horizon(self) -> int:
        """Steps that the gradient goes back at most; 0: to the start of the lifetime."""
        ...

    @property
    def lifetime(self) -> int:
        """Steps of a life that goes on over generations; 0: each lives whole lifetimes."""
        ...

    def objective(self, baseline: Baseline, steps: Steps) -> tuple[Scalar, tuple[Scalar, Scalar]]:
        """Of a lifetime, to be maximised; and the two numbers that the baseline is made of.

        `baseline` is that of one environment: scalars.
        """
        ...


def check_lengths(outer: ThroughLifetimes) -> None:
    """Raises SettingError for settings outside their ranges."""
    require(outer.population >= 1, f"population must be at least 1, got {outer.population}")
    require(outer.lifetime >= 0, f"lifetime must be at least 0 steps, got {outer.lifetime}")
    require(outer.horizon >= 0, f"horizon must be at least 0 steps, got {outer.horizon}")


def start_state(outer: ThroughLifetimes, params: Params, environments: int) -> GradientState:
    """Before the first generation."""
    baseline = Baseline(jnp.zeros(environments), jnp.ones(environments))
    return GradientState(params, outer.optimiser.init(params), baseline)


def copies(outer: ThroughLifetimes, state: GradientState) -> Candidates:
    """The same meta-parameters P times, each for lifetimes of its own."""
    candidates = copied(state.params, outer.population)
    return Candidates(candidates, jnp.arange(outer.population), state.baseline)


def staggered_ages(
    population: int, lifetimes: int, lifetime: int, length: int
) -> Int[Array, "population lifetimes"]:
    """Life i of n begins at an age of i / n of its lifetime, a multiple of `length`, so that as
    many end in every generation."""
    count = population * lifetimes
    ages = np.arange(count, dtype=np.int64) * lifetime // count // length * length
    return jnp.asarray(ages.reshape(population, lifetimes), jnp.int32)


def begin_lives(
    outer: ThroughLifetimes, setting: Setting, params: Params, key: PRNGKey
) -> tuple[Any, ...]:
    """Those that go on, [P, lifetimes] in each environment, of ages that are spread."""
    if not outer.lifetime:
        return ()
    ages = staggered_ages(outer.population, setting.lifetimes, outer.lifetime, setting.length)
    numbers = jnp.arange(outer.population)

    def begin(index: int) -> Any:
        if is_on_host(setting.environments[index]):
            own = host_keys(jax.random.fold_in(key, index), numbers, setting.lifetimes)
            with use_devices(own_devices()):
                lives = host_born(
                    differentiable(setting), setting.environments[index],
                    copied(params, outer.population), own, outer.lifetime,
                )  # fmt: skip
            return local(lives._replace(age=ages))

        def of_candidate(number, params, key):
            keys = lifetime_keys_of_group(key, number, setting.lifetimes)
            return jax.vmap(partial(_born, setting, index, params))(keys)

        over_devices = spread(one_by_one(of_candidate))
        lives = over_devices(numbers, params, jax.random.fold_in(key, index))
        return lives._replace(age=ages)

    return tuple(begin(index) for index in range(len(setting.environments)))


def gradients(
    outer: ThroughLifetimes,
    setting: Setting,
    index: int,
    candidates: Candidates,
    lives: Any,
    key: PRNGKey,
    *,
    advised: bool = False,
) -> tuple[Gradients, Any]:
    """The gradient of the objective over each candidate's lifetimes, or stretches of them, in
    environment number `index`; and the lives after. `advised`: the objective needs its advice.

    Gathered from all devices before anything is averaged, as returns are.
    """
    environment = setting.environments[index]
    if is_on_host(environment):
        return _on_host(outer, setting, index, candidates, lives, key)
    arguments = differentiable(setting), environment, setting.length, outer.horizon, advised
    whole, stretch = differentiable_lifetime(*arguments), differentiable_stretch(*arguments)

    def one(candidate, baseline, key):
        params, group, lives = candidate
        keys = lifetime_keys_of_group(key, group, setting.lifetimes)
        if not outer.lifetime:
            return _gradient(outer, lambda *x: (*whole(*x), ()), params, keys, baseline)
        # Those whose time is over begin anew. Most generations have none of a candidate's, and to
        # draw tasks takes long.
        over = lives.age >= outer.lifetime

        def renew(lives):
            fresh = jax.vmap(partial(_born, setting, index, params))(keys)
            return renewed(over, fresh, lives)

        lives = jax.lax.cond(jnp.any(over), renew, lambda same: same, lives)
        return _gradient(outer, stretch, params, lives, baseline)

    here = jax.tree.map(lambda x: x[index], candidates.extra)
    over_devices = spread(one_by_one(one))
    mine = lives[index] if outer.lifetime else ()
    found = over_devices((candidates.params, candidates.group, mine), here, key)
    return _evidence(outer, index, lives, *found)


def one_by_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(candidate, *shared)` of one candidate after the other, on a leading axis.

    Of several at once, how many there are on a device would show in the last bits.
    """
    return lambda candidates, *shared: jax.lax.map(lambda x: function(x, *shared), candidates)


def _on_host(
    outer: ThroughLifetimes,
    setting: Setting,
    index: int,
    candidates: Candidates,
    lives: Any,
    key: PRNGKey,
) -> tuple[Gradients, Any]:
    """The same on the host: lived first, and then learned again from what was perceived.

    The processes of `--distributed` share the candidates out.
    """
    mine = share(outer.population)
    require(
        len(mine) > 0,
        f"population must be at least the number of processes, {jax.process_count()}, got "
        f"{outer.population}",
    )
    algorithm, environment = differentiable(setting), setting.environments[index]
    own = candidates.params, candidates.group, lives[index] if outer.lifetime else None
    own, key, here = local((own, key, jax.tree.map(lambda x: x[index], candidates.extra)))
    params, group, own = jax.tree.map(lambda x: x[mine.start : mine.stop], own)
    with use_devices(own_devices()):
        keys = host_keys(key, group, setting.lifetimes)
        steps, first = (setting.length, outer.lifetime), mine.start * setting.lifetimes
        *record, after = live_before_learning(
            algorithm, environment, params, keys, own, *steps, first
        )
        found = _learned_again(outer, algorithm, spec_of(environment), params, record, here)
    return _evidence(outer, index, lives, *gather_shares((*found, after), outer.population))


def _evidence(
    outer: ThroughLifetimes, index: int, lives: Any, gradient: Params, numbers: Any, after: Any
) -> tuple[Gradients, Any]:
    total, mean_return, square = numbers
    if outer.lifetime:
        lives = (*lives[:index], after, *lives[index + 1 :])
    number = jnp.asarray(index, jnp.int32)
    return Gradients(total, gradient, mean_return, square, number), lives


def _gradient(
    outer: ThroughLifetimes,
    live: Callable[[Params, Any], Any],
    params: Params,
    items: Any,
    baseline: Baseline,
) -> tuple[Params, list[Scalar], Any]:
    """Of the mean objective of lifetimes, clipped; the means of `total` and of what the baseline
    is made of; and the lives after. `live(params, item)` gives of each of the `items` the sum of
    its rewards, its `Steps` and the life after them."""

    def of_lifetime(params, item):
        total, steps, after = live(params, item)
        objective, seen = outer.objective(baseline, steps)
        return (objective, total, *seen), after

    def mean(params):
        found, after = jax.vmap(partial(of_lifetime, params))(items)
        objective, *seen = jax.tree.map(jnp.mean, found)
        return objective, (seen, after)

    gradient, (seen, after) = jax.grad(mean, has_aux=True)(params)
    return outer.optimiser.clipped(gradient), seen, after


def _born(setting: Setting, index: int, params: Params, key: PRNGKey) -> Life:
    algorithm = differentiable(setting).differentiable()
    return born(algorithm, setting.environments[index], params, key)


def ascend(outer: ThroughLifetimes, state: GradientState, evidence: Gradients) -> GradientState:
    """One step of the optimiser up the mean gradient.

    A candidate whose return or gradient is not finite says nothing, and is left out.
    """
    gradient, now = mean_of_finite((evidence.gradient, (evidence.mean, evidence.square)), evidence)
    params, optimizer = outer.optimiser.ascend(state.params, gradient, state.optimizer)
    here = jnp.arange(state.baseline.mean.size) == evidence.environment
    baseline = Baseline(
        *(jnp.where(here, 0.9 * old + 0.1 * new, old) for old, new in zip(state.baseline, now))
    )
    return GradientState(params, optimizer, baseline)


def mean_of_finite(tree: Any, evidence: Any) -> Any:
    """The mean of arrays with a leading axis of candidates, over those whose evidence is finite.

    With no candidate left nothing was learned: NaN, which ends training as divergence.
    """
    each = jax.tree.map(lambda x: x if x.ndim else None, evidence)
    whole = jax.vmap(all_finite)(each)
    count = jnp.where(jnp.any(whole), jnp.sum(whole).astype(jnp.float32), jnp.nan)

    def mean(x: Array) -> Array:
        return jnp.sum(jnp.where(with_axes_of(x, whole), x, 0.0), axis=0) / count

    return jax.tree.map(mean, tree)


def differentiable(setting: Setting) -> Differentiable:
    """The learning algorithm, which must offer a gradient. Raises SettingError otherwise."""
    algorithm = setting.algorithm
    if not isinstance(algorithm, Differentiable):
        raise SettingError(
            f"{type(algorithm).__name__} cannot be differentiated: meta-train it by evolution "
            "strategies instead of by gradients"
        )
    return algorithm


@partial(jax.jit, static_argnames=("outer", "algorithm", "spec"))
def _learned_again(
    outer: ThroughLifetimes,
    algorithm: Differentiable,
    spec: Spec,
    params: Params,
    record: Any,
    baseline: Baseline,
) -> tuple[Params, list[Array]]:
    """The gradients of candidates, from what `live_before_learning` recorded."""
    learn = differentiable_record(algorithm, spec, outer.horizon)

    def live(params, item):
        learner, seen = item
        if not outer.lifetime:
            learner = algorithm.init_state(params, lifetime_keys(learner).learner, spec)
        return *learn(params, learner, seen), ()

    def one(candidate, baseline):
        params, items = candidate
        return _gradient(outer, live, params, items, baseline)[:2]

    return spread(one_by_one(one))((params, record), baseline)
