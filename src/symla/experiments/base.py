"""The protocols of experiments: what is trained and tested, and who watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:  # jax is imported late, so that --help answers at once
    from symla.store import RunFolder
    from symla.training.loop import Progress


@runtime_checkable
class View(Protocol):
    """Whoever watches an experiment: the console, or nobody."""

    def say(self, text: str) -> None:
        """Show a line of text."""
        ...

    def start(self, title: str, measure: str, references: Mapping[str, float]) -> None:
        """A meta-training begins. `measure` is the column of the metrics to show; `references` are
        its values for other algorithms, by name."""
        ...

    def progress(self, progress: Progress) -> None:
        """A chunk of generations is done."""
        ...

    def stop(self, generations_done: int, interrupted: bool) -> None:
        """The meta-training has ended, by a signal if `interrupted`."""
        ...


@runtime_checkable
class Experiment(Protocol):
    """A frozen dataclass whose fields are the options of the command line."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def training(self, seed: int) -> Any:
        """What is trained. Raises SettingError for a setting outside its range."""
        ...

    def finished(self, run: RunFolder) -> bool:
        """Whether the folder has all that would be trained and tested."""
        ...

    @staticmethod
    def help_groups() -> dict[str, type]:
        """Its options by heading, each a dataclass."""
        ...

    def run(self, seed: int, run: RunFolder, view: View) -> bool:
        """Train, test, store; continue where `run` left. False if a signal ended it early."""
        ...
