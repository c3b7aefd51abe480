"""The protocol of an outer loop: what searches the space of learning algorithms."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.algorithms.base import AnyAlgorithm
from symla.core.types import Params, PRNGKey, State
from symla.environments.base import Environment


class Candidates(NamedTuple):
    """What is to be tried. Candidates of one group live the same lifetimes, noise and all.

    Candidate p is of group `group[p % G]`. G divides P: antithetic twins have G = P / 2, and where
    nothing is shared, or groups are irregular, G = P. What is drawn once serves P / G candidates.
    """

    params: Params  # stacked on a leading axis P
    group: Int[Array, " G"]
    extra: Any = ()  # whatever `evidence` or `tell` wants to see again


def copied(params: Params, population: int) -> Params:
    """The same meta-parameters for each candidate, [P, ...]."""
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (population, *x.shape)), params)


class OuterState(NamedTuple):
    """The state of an outer loop that takes one step of its optimiser in a generation."""

    params: Params
    optimizer: State
    generation: Int[Array, ""]  # how many there were


@runtime_checkable
class Evidence(Protocol):
    """What was seen of the candidates of a generation; an outer loop may see more than this."""

    @property
    def returns(self) -> Float[Array, " P"]:
        """The mean sum of rewards over the lifetimes of each candidate."""
        ...


@runtime_checkable
class Setting(Protocol):
    """What is trained, as an outer loop needs it to gather its evidence. `Training` is one."""

    @property
    def algorithm(self) -> AnyAlgorithm:
        """The learning algorithm whose meta-parameters are trained."""
        ...

    @property
    def environments(self) -> tuple[Environment, ...]:
        """Those that generations take in turn, or all at once."""
        ...

    @property
    def lifetimes(self) -> int:
        """Lifetimes of each candidate in a generation."""
        ...

    @property
    def length(self) -> int:
        """Steps of a lifetime."""
        ...

    @property
    def outer(self) -> "OuterLoop":
        """The outer loop itself."""
        ...


@runtime_checkable
class ChecksSetting(Protocol):
    """An outer loop that cannot train everything, and says so before anything is trained."""

    def check(self, setting: Setting) -> None:
        """Raises SettingError for an algorithm or environments that it cannot train."""
        ...


@runtime_checkable
class OuterLoop(Protocol):
    """A frozen dataclass of static settings, pure methods. Returns are MAXIMISED, always.

    A generation is ask -> evidence -> tell.
    """

    @property
    def population(self) -> int:
        """Candidates of a generation."""
        ...

    def init(self, params: Params, environments: int = 1) -> State:
        """Start from these meta-parameters, to be trained on so many environments in turn."""
        ...

    def ask(self, key: PRNGKey, state: State) -> Candidates:
        """The candidates of the next generation."""
        ...

    def lives(self, setting: Setting, params: Params, key: PRNGKey) -> tuple[Any, ...]:
        """Lives that go on from one generation to the next, those of each environment; () for all
        of them where every generation lives whole lifetimes."""
        ...

    def evidence(
        self,
        setting: Setting,
        index: int,
        candidates: Candidates,
        lives: Any,
        key: PRNGKey,
    ) -> tuple[Evidence, Any]:
        """Try the candidates in environment number `index` of the setting, whose `lives` go on.

        With an attribute `takes_all_environments` that is true, each generation is in all of them,
        and `index` is 0. With one `joins_devices`, what is on a device depends on what is on others
        within it.

        Returns what was seen, and the lives as they are then. Raises SettingError if the learning
        algorithm does not offer what this loop needs.
        """
        ...

    # Any, because a loop learns from its own kind of evidence alone: what its `evidence` returned.
    def tell(self, state: State, candidates: Candidates, evidence: Any) -> State:
        """Learn from what was seen of the candidates."""
        ...

    def params(self, state: State) -> Params:
        """The meta-parameters that the state stands for: what is tested and stored."""
        ...
