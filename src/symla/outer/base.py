"""The protocol of an outer loop: what searches the space of learning algorithms.

Room: outer. It sees meta-parameters and returns, never environments or algorithms.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float, Int

from symla.core.types import Params, PRNGKey, State


class Candidates(NamedTuple):
    """What is to be tried. Candidates of one group live the same lifetimes, noise and all.

    Candidate p is of group `group[p % G]`. G divides P: antithetic twins have G = P / 2, and where
    nothing is shared, or groups are irregular, G = P. What is drawn once serves P / G candidates.
    """

    params: Params  # stacked on a leading axis P
    group: Int[Array, " G"]
    extra: Any = ()  # whatever `tell` wants to see again


@runtime_checkable
class OuterLoop(Protocol):
    """A frozen dataclass of static settings, pure methods. Returns are MAXIMISED, always."""

    def init(self, params: Params) -> State:
        """Start from these meta-parameters."""
        ...

    def ask(self, key: PRNGKey, state: State) -> Candidates:
        """The candidates of the next generation."""
        ...

    def tell(self, state: State, candidates: Candidates, returns: Float[Array, " P"]) -> State:
        """Learn from what the candidates earned."""
        ...

    def params(self, state: State) -> Params:
        """The meta-parameters that the state stands for: what is tested and stored."""
        ...
