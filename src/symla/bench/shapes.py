"""The shapes to measure, and the command's options. Imports no jax, so that --help is immediate."""

import re
from dataclasses import dataclass, fields, replace
from pathlib import Path

from symla.core.errors import SettingError, require

DEFAULT_SHAPES = ("4x2", "16x4", "75x4", "1x2")


@dataclass(frozen=True)
class Shape:
    """The sizes that determine the time of an update."""

    observations: int  # A
    actions: int  # B
    hidden: int = 16  # N
    population: int = 64  # P
    lifetimes: int = 10  # E, of each candidate
    length: int = 100  # L, steps

    @property
    def name(self) -> str:
        """Observations x actions, such as "4x2"."""
        return f"{self.observations}x{self.actions}"

    @property
    def steps(self) -> int:
        """Environment steps of one update."""
        return self.population * self.lifetimes * self.length


TABLE = {
    shape.name: shape
    for shape in (
        Shape(4, 2),  # CartPole
        Shape(16, 4),  # a grid seen through a projection
        Shape(75, 4, population=32, lifetimes=4),  # a 5 x 5 image of three colours
        Shape(1, 2, hidden=64, lifetimes=16),  # the two-armed bandit
    )
}


@dataclass(frozen=True)
class BenchOptions:
    """Measure environment steps per second of whole updates: noise, lifetimes, gradient, Adam.

    Compares symla with its factored formulation in plain JAX and with the literal formulation of
    the paper, timed in turns in one run. Also reports the time of each part of an update.
    """

    shapes: tuple[str, ...] = DEFAULT_SHAPES
    """Observations x actions: 4x2 CartPole, 1x2 the two-armed bandit, others synthetic."""
    repeats: int = 5
    """Timings of each. At least 1; the median is shown."""
    json: Path | None = None
    """Also write the measurements to this file."""
    devices: int | None = None
    """Devices that share the population; on a CPU, cores. Default: all."""
    hidden: int | None = None
    """LSTM units N of every shape. At least 1. Default: 16, but 64 of 1x2."""
    population: int | None = None
    """Candidates of every shape. Even, at least 2. Default: 64, but 32 of 75x4."""
    lifetimes: int | None = None
    """Lifetimes of each candidate. At least 1. Default: 10, but 4 of 75x4 and 16 of 1x2."""
    length: int | None = None
    """Steps of a lifetime. At least 1. Default: 100."""

    def build(self) -> list[Shape]:
        """The shapes. Raises SettingError for a wrong name or a setting outside its range."""
        require(self.repeats >= 1, f"repeats must be at least 1, got {self.repeats}")
        sizes = {field.name for field in fields(Shape)} & {field.name for field in fields(self)}
        chosen = {size: getattr(self, size) for size in sizes if getattr(self, size) is not None}
        return [replace(parse(name), **chosen) for name in self.shapes]


def parse(name: str) -> Shape:
    """The shape of that name. Raises SettingError."""
    match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", name)
    if not match:
        raise SettingError(f"a shape is observations x actions, like 4x2; got {name!r}")
    observations, actions = map(int, match.groups())
    require(actions >= 2, f"a shape needs at least 2 actions, got {name!r}")
    return TABLE.get(name, Shape(observations, actions))
