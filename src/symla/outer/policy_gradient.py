"""Policy gradient through whole lifetimes: backpropagation where evolution strategies estimate."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.algorithms.base import Differentiable
from symla.core.errors import SettingError, require
from symla.core.optimisers import Optimiser
from symla.core.trees import all_finite
from symla.core.types import Params, PRNGKey, Scalar, Spec, State
from symla.lifetimes.host import is_on_host, spec_of
from symla.lifetimes.lifetime import Life, born
from symla.lifetimes.percepts import lifetime_keys
from symla.outer.base import Candidates, Setting
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


class PGState(NamedTuple):
    """The state of the policy gradient."""

    params: Params
    optimizer: State
    baseline: Baseline


class Gradients(NamedTuple):
    """The evidence of a policy gradient, of each candidate."""

    returns: Float[Array, " P"]
    gradient: Params  # of the objective, stacked on a leading axis P
    mean: Float[Array, " P"]  # discounted return
    square: Float[Array, " P"]  # squared difference from the baseline, its mean
    environment: Int[Array, ""]  # where it was gathered


@dataclass(frozen=True)
class PolicyGradient:
    """REINFORCE (Williams 1992) with the gradient taken through the state of the learner, as RL^2
    does (Duan et al. 2016): it sees how what was learned at one step serves all later ones.

    All `population` candidates have the same meta-parameters: they share out the lifetimes of a
    generation between devices. The gradient of a lifetime is that of the mean over t of

        log pi(a_t) (G_t - baseline) / deviation + entropy * H_t

    with G_t = sum over k of discount^k r_{t+k}, also past the ends of episodes, H_t the entropy of
    the policy, and deviation the root of the `square` of the `Baseline`. The optimiser's clip is
    applied to the gradient of each candidate, too. Only for learning algorithms that are
    `Differentiable`.

    With a `lifetime` lives go on: each generation lives the next `length` steps of each, and its
    objective is of these alone; a life ends after `lifetime` steps, and another begins in its
    place, at staggered times. So lifetimes may be long, and learners of every age are seen. Raises
    SettingError outside ranges.
    """

    population: int = 8  # P
    optimiser: Optimiser = Optimiser(1e-3, clip=1.0)
    discount: float = 0.9
    entropy: float = 0.003
    horizon: int = 0  # steps that the gradient goes back at most; 0: to the start of the lifetime
    lifetime: int = 0  # steps of a life that goes on; 0: whole lifetimes in every generation

    def __post_init__(self):
        require(self.population >= 1, f"population must be at least 1, got {self.population}")
        require(0.0 <= self.discount <= 1.0, f"discount must be 0 to 1, got {self.discount}")
        require(self.lifetime >= 0, f"lifetime must be at least 0 steps, got {self.lifetime}")
        require(self.horizon >= 0, f"horizon must be at least 0 steps, got {self.horizon}")
        require(self.entropy >= 0.0, f"entropy must be at least 0, got {self.entropy}")

    def init(self, params: Params, environments: int = 1) -> PGState:
        baseline = Baseline(jnp.zeros(environments), jnp.ones(environments))
        return PGState(params, self.optimiser.init(params), baseline)

    def params(self, state: PGState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: PGState) -> Candidates:
        """The same meta-parameters P times, each for lifetimes of its own."""
        copies = self._copies(state.params)
        return Candidates(copies, jnp.arange(self.population), state.baseline)

    def _copies(self, params: Params) -> Params:
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (self.population, *x.shape)), params)

    def lives(self, setting: Setting, params: Params, key: PRNGKey) -> tuple[Any, ...]:
        """Those that go on, [P, lifetimes] in each environment; life i of n begins at an age of
        i / n of its lifetime, so that as many end in every generation."""
        if not self.lifetime:
            return ()
        count = self.population * setting.lifetimes
        shape = self.population, setting.lifetimes
        ages = jnp.arange(count) * self.lifetime // count // setting.length * setting.length
        numbers = jnp.arange(self.population)

        def begin(index: int) -> Any:
            if is_on_host(setting.environments[index]):
                own = host_keys(jax.random.fold_in(key, index), numbers, setting.lifetimes)
                with use_devices(own_devices()):
                    lives = host_born(
                        differentiable(setting), setting.environments[index],
                        self._copies(params), own, self.lifetime,
                    )  # fmt: skip
                return local(lives._replace(age=ages.reshape(shape).astype(jnp.int32)))

            def of_candidate(number, params, key):
                keys = lifetime_keys_of_group(key, number, setting.lifetimes)
                return jax.vmap(partial(self._born, setting, index, params))(keys)

            over_devices = spread(jax.vmap(of_candidate, (0, None, None)))
            lives = over_devices(numbers, params, jax.random.fold_in(key, index))
            return lives._replace(age=ages.reshape(shape).astype(jnp.int32))

        return tuple(begin(index) for index in range(len(setting.environments)))

    def evidence(
        self, setting: Setting, index: int, candidates: Candidates, lives: Any, key: PRNGKey
    ) -> tuple[Gradients, Any]:
        """The gradient of the objective over each candidate's lifetimes, or stretches of them.

        Gathered from all devices before anything is averaged, as returns are.
        """
        environment = setting.environments[index]
        if is_on_host(environment):
            return self._host_evidence(setting, index, candidates, lives, key)
        arguments = differentiable(setting), environment, setting.length, self.horizon
        whole, stretch = differentiable_lifetime(*arguments), differentiable_stretch(*arguments)

        def one(candidate, baseline, key):
            params, group, lives = candidate
            keys = lifetime_keys_of_group(key, group, setting.lifetimes)
            if not self.lifetime:
                return self._gradient(lambda *x: (*whole(*x), ()), params, keys, baseline)
            # Those whose time is over begin anew.
            fresh = jax.vmap(partial(self._born, setting, index, params))(keys)
            lives = renewed(lives.age >= self.lifetime, fresh, lives)
            return self._gradient(stretch, params, lives, baseline)

        here = jax.tree.map(lambda x: x[index], candidates.extra)
        over_devices = spread(jax.vmap(one, (0, None, None)))
        mine = lives[index] if self.lifetime else ()
        found = over_devices((candidates.params, candidates.group, mine), here, key)
        return self._evidence(index, lives, *found)

    def _host_evidence(
        self, setting: Setting, index: int, candidates: Candidates, lives: Any, key: PRNGKey
    ) -> tuple[Gradients, Any]:
        """The same on the host: lived first, and then learned again from what was perceived.

        The processes of `--distributed` share the candidates out.
        """
        mine = share(self.population)
        require(
            len(mine) > 0,
            f"population must be at least the number of processes, {jax.process_count()}, got "
            f"{self.population}",
        )
        algorithm, environment = differentiable(setting), setting.environments[index]
        own = candidates.params, candidates.group, lives[index] if self.lifetime else None
        own, key, here = local((own, key, jax.tree.map(lambda x: x[index], candidates.extra)))
        params, group, own = jax.tree.map(lambda x: x[mine.start : mine.stop], own)
        with use_devices(own_devices()):
            keys = host_keys(key, group, setting.lifetimes)
            steps, first = (setting.length, self.lifetime), mine.start * setting.lifetimes
            *record, after = live_before_learning(
                algorithm, environment, params, keys, own, *steps, first
            )
            found = _learned_again(self, algorithm, spec_of(environment), params, record, here)
        return self._evidence(index, lives, *gather_shares((*found, after), self.population))

    def _evidence(
        self, index: int, lives: Any, gradient: Params, numbers: Any, after: Any
    ) -> tuple[Gradients, Any]:
        total, mean_return, square = numbers
        if self.lifetime:
            lives = (*lives[:index], after, *lives[index + 1 :])
        number = jnp.asarray(index, jnp.int32)
        return Gradients(total, gradient, mean_return, square, number), lives

    def _gradient(
        self, live: Callable[[Params, Any], Any], params: Params, items: Any, baseline: Baseline
    ) -> tuple[Params, list[Scalar], Any]:
        """Of the mean objective of lifetimes, clipped; the means of `total` and of what the
        baseline is made of; and the lives after. `live(params, item)` gives of each of the `items`
        the sum of its rewards, its `Steps` and the life after them."""

        def of_lifetime(params, item):
            total, steps, after = live(params, item)
            objective, seen = self.objective(baseline, steps)
            return (objective, total, *seen), after

        def mean(params):
            found, after = jax.vmap(partial(of_lifetime, params))(items)
            objective, *seen = jax.tree.map(jnp.mean, found)
            return objective, (seen, after)

        gradient, (seen, after) = jax.grad(mean, has_aux=True)(params)
        return self.optimiser.clipped(gradient), seen, after

    @staticmethod
    def _born(setting: Setting, index: int, params: Params, key: PRNGKey) -> Life:
        algorithm = differentiable(setting).differentiable()
        return born(algorithm, setting.environments[index], params, key)

    def objective(self, baseline: Baseline, steps: Steps) -> tuple[Scalar, tuple[Scalar, Scalar]]:
        """To be maximised, and the two numbers that the baseline is made of.

        `baseline` is that of one environment: scalars.
        """

        def add(later, now):
            total = now + self.discount * later
            return total, total

        _, discounted = jax.lax.scan(add, jnp.zeros(()), steps.reward, reverse=True)
        error = discounted - baseline.mean
        advantage = jax.lax.stop_gradient(error / jnp.sqrt(baseline.square + 1e-6))
        objective = jnp.mean(steps.log_probability * advantage + self.entropy * steps.entropy)
        return objective, (jnp.mean(discounted), jnp.mean(error**2))

    def tell(self, state: PGState, candidates: Candidates, evidence: Gradients) -> PGState:
        """One step of the optimiser up the mean gradient.

        A candidate whose return or gradient is not finite says nothing, and is left out.
        """
        each = evidence.returns, evidence.gradient, evidence.mean, evidence.square
        whole = jax.vmap(all_finite)(each)
        count = jnp.maximum(jnp.sum(whole), 1).astype(jnp.float32)

        def mean(x):
            kept = whole.reshape(-1, *[1] * (x.ndim - 1))
            return jnp.sum(jnp.where(kept, x, 0.0), axis=0) / count

        gradient, now = jax.tree.map(mean, (evidence.gradient, each[2:]))
        params, optimizer = self.optimiser.ascend(state.params, gradient, state.optimizer)
        here = jnp.arange(state.baseline.mean.size) == evidence.environment
        # With no candidate left nothing was learned: NaN, which ends training as divergence.
        params = jax.tree.map(lambda x: jnp.where(jnp.any(whole), x, jnp.nan), params)
        baseline = Baseline(
            *(jnp.where(here, 0.9 * old + 0.1 * new, old) for old, new in zip(state.baseline, now))
        )
        return PGState(params, optimizer, baseline)


def differentiable(setting: Setting) -> Differentiable:
    """The learning algorithm, which must offer a gradient. Raises SettingError otherwise."""
    algorithm = setting.algorithm
    if not isinstance(algorithm, Differentiable):
        raise SettingError(
            f"{type(algorithm).__name__} cannot be differentiated: meta-train it by evolution "
            "strategies instead of policy gradient"
        )
    return algorithm


@partial(jax.jit, static_argnames=("outer", "algorithm", "spec"))
def _learned_again(
    outer: PolicyGradient,
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
        return outer._gradient(live, params, items, baseline)[:2]

    return spread(jax.vmap(one, (0, None)))((params, record), baseline)
