"""Through updates: the return of what learned, as a function of what it learned by (MAML, LPG)."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.algorithms.base import LearnsDifferentiably
from symla.algorithms.maml import MAML
from symla.algorithms.parts import linear_baseline
from symla.algorithms.parts.linear_value import LinearValue, init_value, refitted
from symla.core.errors import SettingError, require
from symla.core.optimisers import Optimiser
from symla.core.random_numbers import fast_key
from symla.core.types import Params, PRNGKey, Rollout, Scalar, Spec, State
from symla.lifetimes.host import is_on_host
from symla.lifetimes.learning import LearningLife, born, collect, learning_key
from symla.lifetimes.percepts import lifetime_keys
from symla.outer.base import Candidates, OuterState, Setting, copied
from symla.outer.lifetime_gradients import mean_of_finite, one_by_one, staggered_ages
from symla.outer.on_host import renewed
from symla.outer.returns import lifetime_keys_of_group
from symla.runtime.devices import spread


class Valued(NamedTuple):
    """A life that goes on, and the outer loop's own estimate of what its states are worth."""

    life: LearningLife
    value: LinearValue


class Stretch(NamedTuple):
    """What a lifetime, or a stretch of a life, was: all that the meta-objective is a function of,
    besides the meta-parameters."""

    start: State  # the learner before it; of a lifetime unused: it follows from meta-parameters
    key: Array  # the data of the key of the lifetime
    ages: Int[Array, " rollouts"]  # at the end of each
    rollouts: Rollout  # [K + 1, interval, W, ...]
    advantage: Float[Array, "rollouts interval W"]  # of all actions


class Taught(NamedTuple):
    """The evidence: what learners earned after their updates, and its gradient."""

    returns: Float[Array, " P"]  # over the last rollout, the mean over environments
    gradient: Params  # stacked on a leading axis P


@dataclass(frozen=True)
class ThroughUpdates:
    """Policy gradient of what a learner does after some updates, back through these updates.

    A learner collects a rollout and learns from it, K times; then it collects another one, the only
    one that counts:

        maximise  E[log pi(a | s) A] + what the policy gains - what the updates lose

    where pi is the policy after K updates, a differentiable function of the meta-parameters. K
    follows from the `length` of a generation, which is K + 1 times the learner's `interval`. With
    `every_update`, the rollout after each update counts in this way, their mean: so fewer updates
    than K are good for something, too. The first rollout never counts.

    Without a `lifetime`, each generation begins lifetimes anew, as MAML has it: A are returns of
    the episode minus a linear baseline, normalised. With one, lives go on over generations and end
    after so many steps in each environment, at staggered times, as LPG has it: A are generalised
    advantages by a linear value function of the outer loop's own, which each life has and learns.

    All `population` candidates have the same meta-parameters, and tasks of their own. The
    optimiser's clip is applied to the gradient of each candidate, too. Only for learning algorithms
    that learn differentiably, in environments in JAX. Raises SettingError outside ranges.
    """

    population: int = 20  # P
    optimiser: Optimiser = Optimiser(1e-3, clip=1.0)
    discount: float = 0.99
    trace: float = 0.95  # lambda of the advantages, where lives go on
    lifetime: int = 0  # steps of a life in each environment; 0: whole lifetimes
    every_update: bool = False  # counts, not the last one alone

    def __post_init__(self):
        require(self.population >= 1, f"population must be at least 1, got {self.population}")
        require(self.lifetime >= 0, f"lifetime must be at least 0 steps, got {self.lifetime}")
        for name in ("discount", "trace"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} must be in [0, 1], got {value}")

    def check(self, setting: Setting) -> None:
        """Raises SettingError for what it cannot train."""
        algorithm: Any = setting.algorithm
        if not isinstance(algorithm, LearnsDifferentiably):
            raise SettingError(
                f"{type(algorithm).__name__} does not learn by differentiable updates: meta-train "
                "it by evolution strategies, or take maml"
            )
        for environment in setting.environments:
            require(
                not is_on_host(environment),
                "what is trained through its updates lives in JAX: "
                f"{getattr(environment, 'name', 'an environment')} is on the host; take one of "
                "`symla list`, or evolution strategies",
            )
        if isinstance(algorithm, MAML):
            require(
                not self.lifetime or algorithm.later == 1.0,
                "MAML's first step differs from its later ones, and in lives that go on it cannot "
                "know its own: leave lifetime out, or give it later=1.0",
            )
        require(
            setting.length % algorithm.interval == 0 and setting.length >= 2 * algorithm.interval,
            f"length must be a multiple of interval, {algorithm.interval}, and at least two of "
            f"them: some to learn from, the last one to be measured in; got {setting.length}",
        )

    def share(self, setting: Setting) -> float:
        """How much of a lifetime, at its end, counts: what comes after the updates."""
        return 1.0 if self.lifetime else updating(setting).interval / setting.length

    def init(self, params: Params, environments: int = 1) -> OuterState:
        return OuterState(params, self.optimiser.init(params), jnp.zeros((), jnp.int32))

    def params(self, state: OuterState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: OuterState) -> Candidates:
        """The same meta-parameters P times, each for lifetimes of its own."""
        copies = copied(state.params, self.population)
        return Candidates(copies, jnp.arange(self.population), state.generation)

    def lives(self, setting: Setting, params: Params, key: PRNGKey) -> tuple[Any, ...]:
        """Those that go on, [P, lifetimes] in each environment, of ages that are spread."""
        if not self.lifetime:
            return ()
        ages = staggered_ages(self.population, setting.lifetimes, self.lifetime, setting.length)

        def begin(index: int) -> Valued:
            one = one_by_one(partial(self._born, setting, index))
            keys = _keys(jax.random.fold_in(key, index), jnp.arange(self.population), setting)
            lives = spread(one)(keys, params)
            return lives._replace(life=lives.life._replace(age=ages))

        return tuple(begin(index) for index in range(len(setting.environments)))

    def evidence(
        self, setting: Setting, index: int, candidates: Candidates, lives: Any, key: PRNGKey
    ) -> tuple[Taught, Any]:
        """The gradient of each candidate's meta-objective, in environment number `index`."""
        keys = _keys(key, candidates.group, setting)
        mine = lives[index] if self.lifetime else ()
        one = one_by_one(partial(self._taught, setting, index))
        found, after = spread(one)((candidates.params, keys, mine), candidates.extra)
        if self.lifetime:
            lives = (*lives[:index], after, *lives[index + 1 :])
        return found, lives

    def tell(self, state: OuterState, candidates: Candidates, evidence: Taught) -> OuterState:
        """One step of the optimiser up the mean gradient."""
        gradient = mean_of_finite(evidence.gradient, evidence)
        params, optimizer = self.optimiser.ascend(state.params, gradient, state.optimizer)
        return OuterState(params, optimizer, state.generation + 1)

    def _born(self, setting: Setting, index: int, keys: Any, params: Params) -> Valued:
        """The lives of one candidate, before their first step."""
        algorithm, environment = updating(setting), setting.environments[index]
        life = jax.vmap(partial(born, algorithm, environment, params))(keys)
        value = init_value(environment.spec)
        return Valued(
            life, jax.tree.map(lambda x: jnp.broadcast_to(x, (*keys.shape, *x.shape)), value)
        )

    def _taught(
        self, setting: Setting, index: int, candidate: Any, generation: Int[Array, ""]
    ) -> tuple[Taught, Any]:
        """The mean over the lifetimes of one candidate; and its lives after."""
        params, keys, lives = candidate
        fresh = self._born(setting, index, keys, params)
        now = lives or fresh
        over = now.life.age >= self.lifetime  # of lifetimes all, before they begin
        now = renewed(over, fresh, now)
        algorithm, spec = updating(setting), setting.environments[index].spec
        t = generation * setting.length * algorithm.workers if self.lifetime else jnp.int32(0)
        lived, after = jax.vmap(partial(self.live, setting, index, params, t))(now)

        def objective(params: Params) -> Scalar:
            each = partial(self.objective, algorithm, spec, params, t)
            return jnp.mean(jax.vmap(each)(lived))

        gradient = self.optimiser.clipped(jax.grad(objective)(params))
        earned = jnp.sum(lived.rollouts.reward[:, -1], axis=1)  # [lifetimes, W]
        return Taught(jnp.mean(earned), gradient), after if self.lifetime else ()

    def live(
        self, setting: Setting, index: int, params: Params, t: Int[Array, ""], now: Valued
    ) -> tuple[Stretch, Valued]:
        """K times collect and learn, then collect: what was, and the life after it.

        `t` are the steps of the population's clock before.
        """
        algorithm, environment = updating(setting), setting.environments[index]
        stretch = algorithm.interval * algorithm.workers

        def act(life: LearningLife) -> tuple[LearningLife, Rollout]:
            return collect(algorithm, environment, params, life, algorithm.interval)[:2]

        def update(life: LearningLife, k: Array) -> tuple[LearningLife, tuple[Rollout, Array]]:
            life, rollout = act(life)
            key = learning_key(jax.random.wrap_key_data(life.key), life.age)
            learner = algorithm.learn(params, life.learner, rollout, t + (k + 1) * stretch, key)
            return life._replace(learner=learner), (rollout, life.age)

        updates = jnp.arange(setting.length // algorithm.interval - 1, dtype=jnp.int32)
        life, (rollouts, ages) = jax.lax.scan(update, now.life, updates)
        life, last = act(life)
        rollouts = jax.tree.map(lambda x, y: jnp.concatenate([x, y[None]]), rollouts, last)
        advantage, value = self._advantage(rollouts, now.value)
        seen = Stretch(now.life.learner, life.key, jnp.append(ages, life.age), rollouts, advantage)
        return seen, Valued(life, value)

    def _advantage(
        self, rollouts: Rollout, value: LinearValue
    ) -> tuple[Float[Array, "rollouts interval W"], LinearValue]:
        """Of all actions; and the value function after them."""
        if self.lifetime:
            # They follow each other: one long rollout.
            whole = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), rollouts)
            found, value = refitted(value, whole, self.discount, self.trace)
            return found.reshape(rollouts.reward.shape), value
        advantages = partial(linear_baseline.advantages, discount=self.discount)
        return jax.vmap(advantages)(rollouts), value

    def objective(
        self,
        algorithm: LearnsDifferentiably,
        spec: Spec,
        params: Params,
        t: Int[Array, ""],
        lived: Stretch,
    ) -> Scalar:
        """Of a lifetime that was lived, to be maximised: what was learned from its rollouts is
        learned again, as a function of the meta-parameters."""
        learner, key = lived.start, jax.random.wrap_key_data(lived.key)
        if not self.lifetime:
            learner = algorithm.init_state(params, lifetime_keys(fast_key(key)).learner, spec)
        stretch = algorithm.interval * algorithm.workers

        def judge(learner: State, rollout: Rollout, advantage: Array) -> Scalar:
            log_probability, gained = algorithm.judge(params, learner, rollout)
            return jnp.mean(log_probability * advantage) + gained

        def update(learner: State, seen: Any) -> tuple[State, tuple[Scalar, Scalar]]:
            rollout, age, k, *later = seen
            own = learning_key(key, age)
            learner, lost = algorithm.learn_with_penalty(
                params, learner, rollout, t + (k + 1) * stretch, own
            )
            return learner, (judge(learner, *later) if later else jnp.zeros(()), lost)

        before, after = (
            jax.tree.map(lambda x, part=part: x[part], (lived.rollouts, lived.advantage))
            for part in (slice(-1), slice(1, None))
        )
        numbers = jnp.arange(lived.ages.size - 1, dtype=jnp.int32)
        seen = before[0], lived.ages[:-1], numbers, *(after if self.every_update else ())
        learner, (judged, lost) = jax.lax.scan(update, learner, seen)
        if self.every_update:
            return jnp.mean(judged - lost)
        return judge(learner, *jax.tree.map(lambda x: x[-1], after)) - jnp.mean(lost)


def updating(setting: Setting) -> LearnsDifferentiably:
    """The learning algorithm, whose updates have a gradient; `check` saw to that."""
    algorithm: Any = setting.algorithm
    return algorithm


def _keys(key: PRNGKey, groups: Int[Array, " P"], setting: Setting) -> Any:
    """Of the lifetimes of each candidate, [P, lifetimes]."""
    return jax.vmap(lambda g: lifetime_keys_of_group(key, g, setting.lifetimes))(groups)
