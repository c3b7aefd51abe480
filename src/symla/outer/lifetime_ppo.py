"""PPO over whole lifetimes: the outer loop of RL^2, as the MetaGenRL paper trains it."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.algorithms.base import Differentiable
from symla.algorithms.parts.advantages import normalised
from symla.algorithms.parts.linear_baseline import LIMIT, discounted_returns, fitted
from symla.core.errors import require
from symla.core.optimisers import Optimiser
from symla.core.random_numbers import fast_key
from symla.core.trees import all_finite, with_axes_of
from symla.core.types import Params, PRNGKey, Scalar, Spec, State
from symla.lifetimes.host import is_on_host, spec_of
from symla.lifetimes.perceived import Perceived, perceived, perceived_lifetime
from symla.lifetimes.percepts import lifetime_keys
from symla.outer.base import Candidates, Setting, copied
from symla.outer.lifetime_gradients import differentiable, mean_of_finite, one_by_one
from symla.outer.on_host import live_before_learning
from symla.outer.returns import host_keys, lifetime_keys_of_group
from symla.outer.through_lifetime import Steps, differentiable_percepts
from symla.runtime.devices import (
    everywhere,
    gather_shares,
    local,
    own_devices,
    share,
    spread,
    use_devices,
)


class PPOUpdates(NamedTuple):
    """The state of the outer loop."""

    params: Params
    optimizer: State


class LivedBefore(NamedTuple):
    """Lifetimes [P, lifetimes], and what of them stays while they are learned from."""

    key: Array  # the data of their keys
    seen: Perceived
    log_probability: Float[Array, "P lifetimes L"]  # of the actions, by the policy that acted
    advantage: Float[Array, "P lifetimes L"]


class Updated(NamedTuple):
    """The evidence: what lifetimes returned, and the state after learning from them."""

    returns: Float[Array, " P"]
    state: PPOUpdates


@dataclass(frozen=True)
class LifetimePPO:
    """Proximal policy optimisation (Schulman et al. 2017) of a recurrent learner over its
    lifetimes, as RL^2 is trained (Duan et al. 2016).

        r_t = pi(a_t) / pi_old(a_t)
        maximise  mean over t of  min(r_t A_t, clip(r_t, 1 - ratio, 1 + ratio) A_t) + entropy H_t

    on `update_epochs` passes over the lifetimes of a generation, in `minibatches` of whole
    lifetimes: in each, learners perceive again what they perceived, and the gradient goes back
    through all of their lifetimes, or through `horizon` steps.

    A are generalised advantages over the whole lifetime, past the ends of episodes, normalised over
    the generation. Their value function is the outer loop's own, as a learner has none: a linear
    map of what it perceives, of the reward so far and of the time, which is fitted anew to the
    discounted returns of each generation. After the last step of a lifetime there is nothing.

    `episodic`: nor is there after the end of an episode. So learners are trained where what counts
    is how episodes end, and rewards do not say it: of a CartPole that pays 1 in every step the sum
    over a lifetime is the same, however often it falls. A truncated step says nothing. Returns are
    then those of an episode, the mean over a lifetime.

    All `population` candidates have the same meta-parameters: they share out the lifetimes of a
    generation between devices and minibatches. Only for learning algorithms that are
    `Differentiable`. Raises SettingError outside ranges.
    """

    population: int = 8  # P
    optimiser: Optimiser = Optimiser(1e-3, clip=1.0)
    update_epochs: int = 4
    minibatches: int = 4
    ratio: float = 0.2
    discount: float = 0.99
    trace: float = 0.95  # lambda of the advantages
    entropy: float = 0.003
    horizon: int = 0  # steps that the gradient goes back at most; 0: to the start of the lifetime
    episodic: bool = False  # whether what is earned after an episode counts for nothing in it

    def __post_init__(self):
        for name in ("population", "update_epochs", "minibatches"):
            value = getattr(self, name)
            require(value >= 1, f"{name} must be at least 1, got {value}")
        require(
            self.population % self.minibatches == 0,
            f"population must be a multiple of minibatches, {self.minibatches}, as each of them "
            f"has whole candidates; got {self.population}",
        )
        for name in ("discount", "trace"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} must be in [0, 1], got {value}")
        require(0 < self.ratio < 1, f"ratio must be above 0 and below 1, got {self.ratio}")
        require(self.entropy >= 0.0, f"entropy must be at least 0, got {self.entropy}")
        require(self.horizon >= 0, f"horizon must be at least 0 steps, got {self.horizon}")

    def check(self, setting: Setting) -> None:
        """Raises SettingError for algorithms without a gradient."""
        differentiable(setting)

    def init(self, params: Params, environments: int = 1) -> PPOUpdates:
        return PPOUpdates(params, self.optimiser.init(params))

    def params(self, state: PPOUpdates) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: PPOUpdates) -> Candidates:
        """The same meta-parameters P times, each for lifetimes of its own."""
        copies = copied(state.params, self.population)
        return Candidates(copies, jnp.arange(self.population), state)

    def tell(self, state: PPOUpdates, candidates: Candidates, evidence: Updated) -> PPOUpdates:
        """What the meta-parameters have become."""
        return evidence.state

    def lives(self, setting: Setting, params: Params, key: PRNGKey) -> tuple[Any, ...]:
        """None: each generation lives whole lifetimes."""
        return ()

    def evidence(
        self, setting: Setting, index: int, candidates: Candidates, lives: Any, key: PRNGKey
    ) -> tuple[Updated, Any]:
        """Lifetimes in environment number `index`, and what is learned from them."""
        algorithm, environment = differentiable(setting), setting.environments[index]
        live_key, order_key = jax.random.split(key)
        state = candidates.extra
        if is_on_host(environment):
            lived = self._lived_on_host(setting, index, candidates, live_key)
            return _learned(self, algorithm, spec_of(environment), state, lived, order_key), lives
        live = perceived_lifetime(algorithm, environment, setting.length)

        def of_candidate(candidate: Any, key: PRNGKey) -> tuple[Array, Perceived]:
            params, group = candidate
            keys = lifetime_keys_of_group(key, group, setting.lifetimes)
            return jax.random.key_data(keys), jax.vmap(partial(live, params))(keys)

        over_devices = spread(one_by_one(of_candidate))
        lived = over_devices((candidates.params, candidates.group), live_key)
        return self.learned(algorithm, environment.spec, state, lived, order_key), lives

    def _lived_on_host(
        self, setting: Setting, index: int, candidates: Candidates, key: PRNGKey
    ) -> tuple[Array, Perceived]:
        """The same on the host. The processes of `--distributed` share the candidates out."""
        mine = share(self.population)
        require(
            len(mine) > 0,
            f"population must be at least the number of processes, {jax.process_count()}, got "
            f"{self.population}",
        )
        algorithm, environment = differentiable(setting), setting.environments[index]
        params, group, key = local((candidates.params, candidates.group, key))
        params, group = jax.tree.map(lambda x: x[mine.start : mine.stop], (params, group))
        with use_devices(own_devices()):
            keys = host_keys(key, group, setting.lifetimes)
            where = algorithm, environment, params, keys, None, setting.length, 0
            _, seen, _ = live_before_learning(*where, mine.start * setting.lifetimes)
            of_candidate = jax.vmap(partial(perceived, spec=spec_of(environment)))
            lived = jax.jit(jax.vmap(of_candidate))(seen)
        data = jax.random.key_data(keys.reshape(len(mine), -1))
        return gather_shares((data, lived), self.population)

    def learned(
        self,
        algorithm: Differentiable,
        spec: Spec,
        state: PPOUpdates,
        lived: tuple[Array, Perceived],
        key: PRNGKey,
    ) -> Updated:
        """From lifetimes [P, E]: the data of their keys, and what was perceived in them.

        Gathered from all devices before anything is averaged, as returns are.
        """
        again = partial(self.steps, algorithm, spec)

        def acted(lived: tuple[Array, Perceived], params: Params) -> tuple[Array, Array]:
            steps = again(params, *lived)
            ended = jnp.sum(jnp.stack(self._ends(lived[1])), axis=(0, 1))
            episodes = jnp.maximum(ended, 1).astype(steps.reward.dtype)
            return jnp.mean(jnp.sum(steps.reward, axis=1) / episodes), steps.log_probability

        returns, log_probability = spread(one_by_one(acted))(lived, state.params)
        advantage = everywhere(self.advantages)(lived[1])
        before = LivedBefore(*lived, log_probability, advantage)

        def gradient(before: LivedBefore, params: Params) -> Params:
            return jax.grad(partial(self.objective, algorithm, spec))(params, before)

        def update(state: PPOUpdates, chosen: Int[Array, " size"]) -> tuple[PPOUpdates, None]:
            mine = jax.tree.map(lambda x: x[chosen], before)
            found = spread(one_by_one(gradient))(mine, state.params)
            return everywhere(self.step)(state, found), None

        keys = jax.random.split(key, self.update_epochs)
        orders = jax.vmap(lambda k: jax.random.permutation(k, self.population))(keys)
        batches = orders.reshape(self.update_epochs * self.minibatches, -1)
        return Updated(returns, jax.lax.scan(update, state, batches)[0])

    def steps(
        self, algorithm: Differentiable, spec: Spec, params: Params, key: Array, seen: Perceived
    ) -> Steps:
        """Of lifetimes [E] of one candidate, that learn again: a function of meta-parameters."""
        again = differentiable_percepts(algorithm, self.horizon)

        def of_lifetime(data: Array, seen: Perceived) -> Steps:
            own = lifetime_keys(fast_key(jax.random.wrap_key_data(data))).learner
            return again(params, algorithm.init_state(params, own, spec), seen)

        return jax.vmap(of_lifetime)(key, seen)

    def objective(
        self, algorithm: Differentiable, spec: Spec, params: Params, before: LivedBefore
    ) -> Scalar:
        """Of the lifetimes of one candidate, to be maximised."""
        steps = self.steps(algorithm, spec, params, before.key, before.seen)
        ratio = jnp.exp(steps.log_probability - before.log_probability)
        limited = jnp.clip(ratio, 1.0 - self.ratio, 1.0 + self.ratio)
        gained = jnp.minimum(ratio * before.advantage, limited * before.advantage)
        return jnp.mean(gained) + self.entropy * jnp.mean(steps.entropy)

    def step(self, state: PPOUpdates, gradients: Params) -> PPOUpdates:
        """One step of the optimiser up the mean of the gradients of candidates.

        One that is not finite says nothing, and is left out.
        """
        mean = mean_of_finite(gradients, gradients)
        return PPOUpdates(*self.optimiser.ascend(state.params, mean, state.optimizer))

    def advantages(self, seen: Perceived) -> Float[Array, "P lifetimes L"]:
        """Of all actions, normalised; 0 in lifetimes that are not finite, which say nothing."""
        shape = seen.reward.shape
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), seen)
        finite = jax.vmap(all_finite)((flat.reward, flat.percept.observation, flat.percept.reward))
        zeroed = jax.tree.map(
            lambda x: jnp.where(with_axes_of(x, finite), x, jnp.zeros_like(x)), flat
        )
        reward = zeroed.reward.T  # [L, lifetimes], as `linear_baseline` has it
        terminated, truncated = self._ends(zeroed)
        known = features(zeroed)
        there = jnp.broadcast_to(finite[None, :, None], known.shape)
        known = jnp.where(there, known, 0.0)  # in all of them time goes on
        returns = discounted_returns(reward, terminated | truncated, self.discount)
        value = fitted(known, returns)
        after = jnp.concatenate([value[1:], jnp.zeros_like(value[:1])])
        gained = reward + self.discount * jnp.where(terminated, 0.0, after) - value
        delta = jnp.where(truncated, 0.0, gained)
        decay = jnp.where(terminated | truncated, 0.0, self.discount * self.trace)

        def back(later: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            delta, decay = now
            total = delta + decay * later
            return total, total

        found = jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, decay), reverse=True)[1].T
        counts = finite[:, None] & ~truncated.T  # what would have come after these is not known
        return jnp.where(counts, _normalised(found, counts), 0.0).reshape(shape)

    def _ends(self, seen: Perceived) -> tuple[Bool[Array, "L W"], Bool[Array, "L W"]]:
        """Whether each step of lifetimes [W] terminated an episode, and whether it truncated one
        that did not terminate; nowhere where that does not matter."""
        terminated, truncated = seen.terminated.T, (seen.truncated & ~seen.terminated).T
        matters = jnp.asarray(self.episodic)
        return terminated & matters, truncated & matters


def features(seen: Perceived) -> Float[Array, "L W features"]:
    """What the value function of lifetimes [W] knows: the observation and its square, the last
    reward, the mean of all of them, whether an episode ended, three powers of the time, and 1."""
    percept = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), seen.percept)
    observation = jnp.clip(percept.observation, -LIMIT, LIMIT)
    steps, count = percept.reward.shape
    number = jnp.broadcast_to(jnp.arange(1.0, 1.0 + steps)[:, None], (steps, count))
    time = number / steps
    numbers = (
        percept.reward,
        jnp.cumsum(percept.reward, axis=0) / number,
        (percept.terminated | percept.truncated).astype(time.dtype),
        time,
        time**2,
        time**3,
        jnp.ones_like(time),
    )
    return jnp.concatenate([observation, observation**2, jnp.stack(numbers, axis=-1)], axis=-1)


def _normalised(x: Array, known: Bool[Array, "*batch"]) -> Array:
    return normalised(x.reshape(-1), known.reshape(-1)).reshape(x.shape)


_learned = jax.jit(LifetimePPO.learned, static_argnums=(0, 1, 2))
