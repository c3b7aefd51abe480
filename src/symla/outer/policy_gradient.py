"""Policy gradient through whole lifetimes: backpropagation where evolution strategies estimate."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from symla.core.errors import require
from symla.core.optimisers import Optimiser
from symla.core.types import Params, PRNGKey, Scalar
from symla.outer import lifetime_gradients
from symla.outer.base import Candidates, Setting
from symla.outer.lifetime_gradients import Baseline, Gradients, GradientState
from symla.outer.through_lifetime import Steps


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
        lifetime_gradients.check_lengths(self)
        require(0.0 <= self.discount <= 1.0, f"discount must be 0 to 1, got {self.discount}")
        require(self.entropy >= 0.0, f"entropy must be at least 0, got {self.entropy}")

    def init(self, params: Params, environments: int = 1) -> GradientState:
        return lifetime_gradients.start_state(self, params, environments)

    def params(self, state: GradientState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: GradientState) -> Candidates:
        """The same meta-parameters P times, each for lifetimes of its own."""
        return lifetime_gradients.copies(self, state)

    def lives(self, setting: Setting, params: Params, key: PRNGKey) -> tuple[Any, ...]:
        """Those that go on, if any, at staggered ages."""
        return lifetime_gradients.begin_lives(self, setting, params, key)

    def evidence(
        self, setting: Setting, index: int, candidates: Candidates, lives: Any, key: PRNGKey
    ) -> tuple[Gradients, Any]:
        """The gradient of the objective over each candidate's lifetimes, or stretches of them."""
        return lifetime_gradients.gradients(self, setting, index, candidates, lives, key)

    def objective(self, baseline: Baseline, steps: Steps) -> tuple[Scalar, tuple[Scalar, Scalar]]:
        """To be maximised, and the two numbers that the baseline is made of.

        `baseline` is that of one environment: scalars.
        """
        weighted, seen = reinforce(self.discount, baseline, steps)
        return weighted + self.entropy * jnp.mean(steps.entropy), seen

    def tell(
        self, state: GradientState, candidates: Candidates, evidence: Gradients
    ) -> GradientState:
        """One step of the optimiser up the mean gradient."""
        return lifetime_gradients.ascend(self, state, evidence)


def reinforce(
    discount: float, baseline: Baseline, steps: Steps
) -> tuple[Scalar, tuple[Scalar, Scalar]]:
    """mean of log pi(a_t) (G_t - baseline) / deviation, and the two numbers that the baseline is
    made of: the mean of G_t and of its squared difference from the baseline."""

    def add(later, now):
        total = now + discount * later
        return total, total

    _, discounted = jax.lax.scan(add, jnp.zeros(()), steps.reward, reverse=True)
    error = discounted - baseline.mean
    advantage = jax.lax.stop_gradient(error / jnp.sqrt(baseline.square + 1e-6))
    objective = jnp.mean(steps.log_probability * advantage)
    return objective, (jnp.mean(discounted), jnp.mean(error**2))
