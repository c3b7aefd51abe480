"""Metrics for TensorBoard, through tensorboardX."""

from collections.abc import Callable, Mapping
from pathlib import Path

from symla.core.errors import SettingError


def tensorboard(folder: Path) -> Callable[[Mapping[str, float]], None]:
    """A function that writes a row of metrics there, each column as a scalar by generation.

    Raises SettingError, with the install line, without tensorboardX.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise SettingError(
            "--tensorboard needs the package tensorboardX: pip install 'symla[tensorboard]'"
        ) from error
    writer = SummaryWriter(str(folder))

    def watch(row: Mapping[str, float]) -> None:
        for name, value in row.items():
            if name != "generation":
                writer.add_scalar(name, value, int(row["generation"]))
        writer.flush()

    return watch
