"""The protocol of an environment: a frozen dataclass of static settings, pure methods.

Room: environments. They never import algorithms: all they show of themselves is a `Spec`.
"""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Float, Int

from symla.core.types import Action, Observation, PRNGKey, Spec, State, Task, Timestep


@runtime_checkable
class Environment(Protocol):
    """All methods work on one lifetime, and can be jitted and vmapped."""

    @property
    def spec(self) -> Spec:
        """Sizes of observation and action, and the length of an episode."""
        ...

    def sample_task(self, key: PRNGKey) -> Task:
        """Drawn once a lifetime, and kept over its episodes: payouts, permutations, signs."""
        ...

    def reset(self, key: PRNGKey, task: Task) -> tuple[State, Observation]:
        """The start of an episode."""
        ...

    def step(self, key: PRNGKey, task: Task, state: State, action: Action) -> Timestep:
        """The answer to an action. Ending an episode is reported, never acted on, here."""
        ...


@runtime_checkable
class KnowsRegret(Protocol):
    """An environment that can say what an action cost against the best one."""

    def regret(self, task: Task, action: Int[Array, " L"]) -> Float[Array, " L"]:
        """Expected reward of the best action minus that of each action taken."""
        ...


def knows_regret(environment: Environment) -> bool:
    """Whether it, and any environment it transforms, can say what an action cost."""
    inside = getattr(environment, "environment", None)
    return isinstance(environment, KnowsRegret) and (inside is None or knows_regret(inside))
