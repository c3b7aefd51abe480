"""The protocol of an environment: a frozen dataclass of static settings with pure methods.

Environments never import algorithms, nor the reverse: a `Spec` is all that is shared.
"""

from collections.abc import Iterator
from typing import Any, Protocol, TypeGuard, runtime_checkable

from jaxtyping import Array, Float, Int

from symla.core.types import Action, Advice, Observation, PRNGKey, Spec, State, Task, Timestep

LARGEST_SPEC = 1_000_000  # numbers of an observation, and actions


@runtime_checkable
class Environment(Protocol):
    """All methods work on one lifetime, and can be jitted and vmapped.

    `split(key)[i]` equals `fold_in(key, i)`, so a method uses the key it is given for one purpose
    only: it draws from it, splits it, or folds in numbers that no other use of it has.
    """

    @property
    def spec(self) -> Spec:
        """Sizes of observation and action, and the length of an episode."""
        ...

    def sample_task(self, key: PRNGKey) -> Task:
        """What is drawn once a lifetime and kept over its episodes: payouts, permutations, goals.

        The task is any pytree of arrays.
        """
        ...

    def reset(self, key: PRNGKey, task: Task) -> tuple[State, Observation]:
        """The state and observation [A] at the start of an episode."""
        ...

    def step(self, key: PRNGKey, task: Task, state: State, action: Action) -> Timestep:
        """The result of an action. It reports the end of an episode, but never resets."""
        ...


@runtime_checkable
class KnowsRegret(Protocol):
    """An environment in which the expected reward of every action is known."""

    def regret(self, task: Task, action: Int[Array, " L"]) -> Float[Array, " L"]:
        """Expected reward of the best action minus that of each of L actions taken."""
        ...


@runtime_checkable
class KnowsAdvice(Protocol):
    """An environment that can say which action is optimal, because it knows the task."""

    def advice(self, task: Task, state: State) -> Advice:
        """The optimal action in that state of the environment; or, of a Discrete space, which of
        its actions are optimal [B], where several may be."""
        ...


def nested_environments(environment: Environment) -> Iterator[Environment]:
    """The environment, then the one it transforms, and so on to the innermost."""
    inside: Any = environment
    while inside is not None:
        yield inside
        inside = getattr(inside, "environment", None)


def knows_regret(environment: Environment) -> TypeGuard[KnowsRegret]:
    """Whether it and every environment that it transforms has a `regret`."""
    return all(isinstance(inside, KnowsRegret) for inside in nested_environments(environment))


def knows_advice(environment: Environment) -> TypeGuard[KnowsAdvice]:
    """Whether it and every environment that it transforms has `advice`."""
    return all(isinstance(inside, KnowsAdvice) for inside in nested_environments(environment))
