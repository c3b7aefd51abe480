"""The protocols of a learning algorithm. All that it knows of an environment is the `Spec`."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array

from symla.core.distributions import Distribution
from symla.core.types import Action, Params, Percept, PRNGKey, Spec, State

KEPT = "kept for the gradient"
"""What an `update` names so, by `jax.ad_checkpoint.checkpoint_name`, is kept for the way back
through a lifetime; everything else that the gradient needs of a step is computed again."""


@runtime_checkable
class LearningAlgorithm(Protocol):
    """`a_t, h_t = f(h_{t-1}, percept_t)`: a frozen dataclass of static settings, pure methods.

    All methods work on one lifetime. `t` is the step of the lifetime and is never batched.
    """

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        """Fresh meta-parameters."""
        ...

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> State:
        """The initial state of one lifetime. Raises SizeError if `params` do not fit `spec`."""
        ...

    def step(
        self, params: Params, state: State, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, State]:
        """Learn from the percept and choose an action. Returns it, and the new state."""
        ...


@runtime_checkable
class Differentiable(LearningAlgorithm, Protocol):
    """A learning algorithm whose lifetimes have a gradient with respect to its meta-parameters."""

    def differentiable(self) -> "Differentiable":
        """The same algorithm, in a form that JAX can differentiate."""
        ...

    def update(self, params: Params, state: State, percept: Percept) -> tuple[Distribution, State]:
        """Learn from the percept. Returns the distribution of the action, and the new state."""
        ...
