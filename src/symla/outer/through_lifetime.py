"""Backpropagation through a lifetime: what a policy gradient learns from."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from symla.algorithms.base import Differentiable, LearningAlgorithm
from symla.core.distributions import sample_action
from symla.core.errors import require
from symla.core.types import Action, Params, Percept, PRNGKey, Scalar, Spec, State, Trace
from symla.environments.base import Environment
from symla.lifetimes.lifetime import lifetime
from symla.outer.policy_gradient import Baseline, Lesson, PolicyGradient


class _Acted(NamedTuple):
    learner: State
    log_probability: Scalar
    entropy: Scalar


@dataclass(frozen=True)
class _Remembering:
    """A learning algorithm that remembers how likely its last action was."""

    algorithm: Any
    horizon: int

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return self.algorithm.init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> _Acted:
        nothing = jnp.zeros(())
        return _Acted(self.algorithm.init_state(params, key, spec), nothing, nothing)

    def step(
        self, params: Params, state: _Acted, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, _Acted]:
        # Recomputed on the way back: what a step needs would fill the memory of long lifetimes.
        update = jax.checkpoint(self.algorithm.update)
        logits, learner = update(params, self._cut(state.learner, t), percept)
        action = sample_action(key, jax.lax.stop_gradient(logits))
        log = jax.nn.log_softmax(logits)
        chosen = jnp.sum(jnp.where(jnp.arange(log.size) == action, log, 0.0))
        return action, _Acted(learner, chosen, -jnp.sum(jnp.exp(log) * log))

    def _cut(self, learner: State, t: Array) -> State:
        """Where the gradient goes no further back."""
        if not self.horizon:
            return learner
        cut = t % self.horizon == 0
        return jax.tree.map(lambda x: jnp.where(cut, jax.lax.stop_gradient(x), x), learner)


def lesson(
    outer: PolicyGradient,
    algorithm: LearningAlgorithm,
    environment: Environment,
    params: Params,
    baseline: Baseline,
    keys: Key[Array, " E"],
    length: int,
) -> tuple[Lesson, Scalar]:
    """What the lifetimes of those keys teach, and their mean return.

    Raises SettingError if the learning algorithm cannot be differentiated.
    """
    require(
        isinstance(algorithm, Differentiable),
        f"{type(algorithm).__name__} cannot be differentiated: meta-train it by evolution "
        "strategies instead of policy gradient",
    )
    remembering = _Remembering(algorithm.differentiable(), outer.horizon)

    def look(lived: Trace, learner: _Acted, world: State) -> tuple[Scalar, Scalar, Scalar]:
        return lived.reward, learner.log_probability, learner.entropy

    def one(params: Params, key: PRNGKey) -> tuple[Scalar, tuple[Scalar, ...]]:
        total, _, steps = lifetime(remembering, environment, params, key, length, look=look)
        climbed, heard = outer.objective(baseline, *steps)
        return climbed, (*heard, total)

    def mean(params: Params) -> tuple[Scalar, tuple[Scalar, ...]]:
        return jax.tree.map(jnp.mean, jax.vmap(one, (None, 0))(params, keys))

    gradient, (level, square, total) = jax.grad(mean, has_aux=True)(params)
    return Lesson(gradient, level, square), total
