"""The protocols of a learning algorithm. All that it knows of an environment is the `Spec`.

One that acts for a while and then updates is a `LearnsFromRollouts`: `step_by_step` makes a
`LearningAlgorithm` of it, and `lifetimes.learning` lets it live in many environments at once.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float

from symla.core.distributions import Distribution
from symla.core.types import (
    Action,
    Observation,
    Params,
    Percept,
    PRNGKey,
    Rollout,
    Scalar,
    Spec,
    State,
)

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


@runtime_checkable
class LearnsFromRollouts(Protocol):
    """What acts for `interval` steps in each of `workers` environments, and then learns from them.

    A frozen dataclass, as any learning algorithm; all environments are of the same task.
    """

    @property
    def interval(self) -> int:
        """Steps in each environment between two calls of `learn`."""
        ...

    @property
    def workers(self) -> int:
        """Environments in which it lives side by side."""
        ...

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        """Fresh meta-parameters; () where it has none."""
        ...

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> State:
        """The initial state of one lifetime. Raises SizeError if it cannot learn with `spec`."""
        ...

    def act(
        self, params: Params, state: State, observation: Observation, key: PRNGKey
    ) -> tuple[Action, Any]:
        """The action in one environment, and what `learn` is to see again of this moment."""
        ...

    def learn(
        self, params: Params, state: State, rollout: Rollout, t: Array, key: PRNGKey
    ) -> State:
        """The state after learning from [interval, workers] steps.

        `t` are the steps lived in all environments together, these included; it is never batched,
        so that what is done only at times is not done, and thrown away, at all others.
        """
        ...


@runtime_checkable
class LearnsDifferentiably(LearnsFromRollouts, Protocol):
    """One whose learning has a gradient with respect to its meta-parameters: they are what it
    learns by, or what it starts from."""

    def learn_with_penalty(
        self, params: Params, state: State, rollout: Rollout, t: Array, key: PRNGKey
    ) -> tuple[State, Scalar]:
        """As `learn`, and what the meta-objective loses for it."""
        ...

    def judge(
        self, params: Params, state: State, rollout: Rollout
    ) -> tuple[Float[Array, "steps W"], Scalar]:
        """log-probabilities of the actions of a rollout by what `state` holds; and what the
        meta-objective gains for it, besides returns."""
        ...


AnyAlgorithm = LearningAlgorithm | LearnsFromRollouts
"""What a rule may be of."""


@runtime_checkable
class OffPolicy(LearnsFromRollouts, Protocol):
    """One that learns from all that it remembers: `learn` is `remember`, then some `update`s."""

    def remember(self, state: State, rollout: Rollout) -> State:
        """The state with these steps in its buffer."""
        ...

    def update(self, params: Params, state: State, number: Array, key: PRNGKey) -> State:
        """Update number `number` of its weights, which counts from 0 and is never batched."""
        ...


class Guidance(NamedTuple):
    """How an agent is helped while what it learns by is still being learned itself."""

    share: Scalar  # of its critic's gradient in what its policy follows, 0 to 1
    rate: Scalar  # what each step of its policy is multiplied by, 0 to 1


@runtime_checkable
class HasCritic(OffPolicy, Protocol):
    """One whose meta-parameters can be trained by its own critic."""

    @property
    def policy_delay(self) -> int:
        """Updates for one of the policy."""
        ...

    def update_guided(
        self, params: Params, state: State, guidance: Guidance, number: Array, key: PRNGKey
    ) -> State:
        """As `update`, with some of its critic's guidance."""
        ...

    def meta_objective(self, params: Params, state: State, key: PRNGKey) -> Scalar:
        """What is minimised: how little its critic values what the meta-parameters teach."""
        ...


@runtime_checkable
class Greedy(Protocol):
    """One that can put to use what it has learned, without exploring."""

    def greedy(self, params: Params, state: State, observation: Observation) -> Action:
        """The action that it holds to be the best."""
        ...
