"""What a suite is."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """Environments by the name under which they are shown, as `symla.make` takes them; and what
    rules are compared with in all of them, if nobody says otherwise."""

    environments: Mapping[str, str]
    references: tuple[str, ...]
    lifetimes: int
    length: int
