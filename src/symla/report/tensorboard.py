"""Metrics for TensorBoard, through tensorboardX."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from symla.core.errors import SettingError


def require_tensorboard() -> None:
    """Raises SettingError, with the install line, without tensorboardX."""
    if find_spec("tensorboardX") is None:
        raise SettingError(
            "--tensorboard needs the package tensorboardX: pip install 'symla[tensorboard]'"
        )


def tensorboard(folder: Path) -> Callable[[Mapping[str, Any]], None]:
    """A function that writes a row of metrics there, each column as a scalar by generation.

    Raises SettingError without tensorboardX.
    """
    require_tensorboard()
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(folder))

    def watch(row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            if name not in ("generation", "environment"):
                writer.add_scalar(name, value, int(row["generation"]))
        writer.flush()

    return watch
