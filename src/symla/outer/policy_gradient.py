"""Policy gradient through whole lifetimes: backpropagation where evolution strategies estimate."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.algorithms.base import Differentiable
from symla.core.errors import SettingError, require
from symla.core.optimisers import Optimiser
from symla.core.trees import all_finite
from symla.core.types import Params, PRNGKey, Scalar, State
from symla.outer.base import Candidates, Setting
from symla.outer.returns import lifetime_keys_of_group
from symla.outer.through_lifetime import Steps, differentiable_lifetime
from symla.runtime.devices import spread


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
    `Differentiable`. Raises SettingError outside ranges.
    """

    population: int = 8  # P
    optimiser: Optimiser = Optimiser(1e-3, clip=1.0)
    discount: float = 0.9
    entropy: float = 0.003
    horizon: int = 0  # steps that the gradient goes back at most; 0: to the start of the lifetime

    def __post_init__(self):
        require(self.population >= 1, f"population must be at least 1, got {self.population}")
        require(0.0 <= self.discount <= 1.0, f"discount must be 0 to 1, got {self.discount}")
        require(self.horizon >= 0, f"horizon must be at least 0 steps, got {self.horizon}")
        require(self.entropy >= 0.0, f"entropy must be at least 0, got {self.entropy}")

    def init(self, params: Params, environments: int = 1) -> PGState:
        baseline = Baseline(jnp.zeros(environments), jnp.ones(environments))
        return PGState(params, self.optimiser.init(params), baseline)

    def params(self, state: PGState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: PGState) -> Candidates:
        """The same meta-parameters P times, each for lifetimes of its own."""
        copies = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (self.population, *x.shape)), state.params
        )
        return Candidates(copies, jnp.arange(self.population), state.baseline)

    def evidence(
        self, setting: Setting, index: int, candidates: Candidates, key: PRNGKey
    ) -> Gradients:
        """The gradient of the objective over each candidate's lifetimes.

        Gathered from all devices before anything is averaged, as returns are.
        """
        algorithm = setting.algorithm
        if not isinstance(algorithm, Differentiable):
            raise SettingError(
                f"{type(algorithm).__name__} cannot be differentiated: meta-train it by evolution "
                "strategies instead of policy gradient"
            )
        live = differentiable_lifetime(
            algorithm, setting.environments[index], setting.length, self.horizon
        )

        def one(candidate, baseline, key):
            params, group = candidate
            keys = lifetime_keys_of_group(key, group, setting.lifetimes)

            def of_lifetime(params, key):
                total, steps = live(params, key)
                objective, seen = self.objective(baseline, steps)
                return objective, (total, *seen)

            def mean(params):
                found = jax.vmap(partial(of_lifetime, params))(keys)
                return jax.tree.map(jnp.mean, found)

            gradient, (total, mean_return, square) = jax.grad(mean, has_aux=True)(params)
            return total, self.optimiser.clipped(gradient), mean_return, square

        here = jax.tree.map(lambda x: x[index], candidates.extra)
        over_devices = spread(jax.vmap(one, (0, None, None)))
        total, gradient, mean_return, square = over_devices(
            (candidates.params, candidates.group), here, key
        )
        return Gradients(total, gradient, mean_return, square, jnp.asarray(index, jnp.int32))

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
