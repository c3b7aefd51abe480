"""Learning from the optimal actions of each task, which are known where a rule is trained."""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from symla.core.errors import SettingError, require
from symla.core.optimisers import Optimiser
from symla.core.types import Params, PRNGKey, Scalar
from symla.environments.base import knows_advice
from symla.lifetimes.host import is_on_host
from symla.outer import lifetime_gradients
from symla.outer.base import Candidates, Setting
from symla.outer.lifetime_gradients import Baseline, Gradients, GradientState
from symla.outer.policy_gradient import reinforce
from symla.outer.through_lifetime import Steps


@dataclass(frozen=True)
class Teacher:
    """Decision pretraining (Lee et al. 2023) of a learner that acts for itself (DAgger, Ross et al.
    2011): it lives its own lifetimes, and its loss at each step is about what was best to do in
    this very task.

    The gradient of a lifetime is that of the mean over t of

        teacher * log pi(advice_t) + policy_gradient * log pi(a_t) (G_t - baseline) / deviation
        + entropy * H_t

    the last two terms as of `PolicyGradient`. Where several actions are optimal, pi(advice_t) is
    the probability of them together: which of them is taken does not matter. It is a density where
    actions are continuous. The learner sees percepts alone: the best that it can do against the
    first term is to act by the posterior over tasks given what it has seen, so it must find out
    what it cannot know yet, and use what it saw.

    Lives that go on, `horizon`, `population` and clip are as of `PolicyGradient`. Only in
    environments that have `advice`, in JAX, and for learning algorithms that are `Differentiable`.
    Raises SettingError outside ranges.
    """

    population: int = 4  # P
    optimiser: Optimiser = Optimiser(1e-2, clip=1.0)
    teacher: float = 1.0  # weight of the advised actions
    policy_gradient: float = 0.0  # weight of the rewards
    entropy: float = 0.0
    discount: float = 0.95  # of later rewards
    horizon: int = 32  # steps that the gradient goes back at most; 0: to the start of the lifetime
    lifetime: int = 0  # steps of a life that goes on; 0: whole lifetimes in every generation

    def __post_init__(self):
        lifetime_gradients.check_lengths(self)
        require(0.0 <= self.discount <= 1.0, f"discount must be 0 to 1, got {self.discount}")
        for name in ("teacher", "policy_gradient", "entropy"):
            weight = getattr(self, name)
            require(
                math.isfinite(weight) and weight >= 0,
                f"{name} must be a finite number of at least 0, got {weight}",
            )
        require(
            self.teacher + self.policy_gradient > 0,
            "teacher and policy_gradient are both 0: there is nothing to learn from",
        )

    def check(self, setting: Setting) -> None:
        """Raises SettingError for environments without advice, and for algorithms without a
        gradient."""
        lifetime_gradients.differentiable(setting)
        for environment in setting.environments:
            if is_on_host(environment) or not knows_advice(environment):
                raise SettingError(
                    f"{environment!r} cannot say which action is optimal (it, or what it "
                    "transforms, has no method advice(task, state)): take random-tasks, or "
                    "another outer loop"
                )

    def init(self, params: Params, environments: int = 1) -> GradientState:
        return lifetime_gradients.start_state(self, params, environments)

    def params(self, state: GradientState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: GradientState) -> Candidates:
        """The same meta-parameters P times, each for lifetimes of its own."""
        return lifetime_gradients.copies(self, state)

    def lives(self, setting: Setting, params: Params, key: PRNGKey) -> tuple[Any, ...]:
        """Those that go on, if any, at staggered ages."""
        self.check(setting)
        return lifetime_gradients.begin_lives(self, setting, params, key)

    def evidence(
        self, setting: Setting, index: int, candidates: Candidates, lives: Any, key: PRNGKey
    ) -> tuple[Gradients, Any]:
        """The gradient of the objective over each candidate's lifetimes, or stretches of them."""
        self.check(setting)
        arguments = self, setting, index, candidates, lives, key
        return lifetime_gradients.gradients(*arguments, advised=True)

    def objective(self, baseline: Baseline, steps: Steps) -> tuple[Scalar, tuple[Scalar, Scalar]]:
        """To be maximised, and the two numbers that the baseline is made of.

        `baseline` is that of one environment: scalars.
        """
        weighted, seen = reinforce(self.discount, baseline, steps)
        objective = self.teacher * jnp.mean(steps.advised) + self.entropy * jnp.mean(steps.entropy)
        return objective + self.policy_gradient * weighted, seen

    def tell(
        self, state: GradientState, candidates: Candidates, evidence: Gradients
    ) -> GradientState:
        """One step of the optimiser up the mean gradient."""
        return lifetime_gradients.ascend(self, state, evidence)
