"""Whether a run may go on with the settings that are given now."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from symla.core.errors import CheckpointError, SettingError
from symla.core.text import typed
from symla.experiments import Experiment
from symla.store import RunFolder, differences, from_settings


def allowed_changes(
    run: RunFolder, experiment: Experiment, name: str, seed: int, allowed: bool = False
) -> list[str]:
    """How the settings of an experiment's run differ from those that it was trained with until now.

    Raises SettingError, with the differences, if other generations would come of it.
    """
    now = {"experiment": name, "seed": seed, **asdict(experiment)}
    before = _trained_with(run) or now
    changes = differences(before, now)
    if not changes or allowed or _same_training(before, experiment, seed, run.path):
        return changes
    raise SettingError(
        f"{run.path} was trained with other settings until now:\n  "
        + "\n  ".join(changes)
        + "\nNothing was touched. Leave them as they were, or go on with the new ones by "
        f"`symla resume {typed(run.path)} ... --allow-changes`: the run then equals none that "
        "began with either"
    )


def _trained_with(run: RunFolder) -> dict[str, Any] | None:
    """Seed, experiment and settings: of the newest checkpoint, else of the configuration."""
    if any(run.checkpoints()):
        trained = run.newest_checkpoint(warn=False).manifest.get("training")
        return trained if isinstance(trained, dict) and "seed" in trained else None
    config = run.config()
    return {"experiment": config["experiment"], "seed": config["seed"], **config["settings"]}


def _same_training(
    before: Mapping[str, Any], experiment: Experiment, seed: int, where: Path
) -> bool:
    """Whether a generation is the same, whatever else (their number, the tests) is not."""
    settings = {key: value for key, value in before.items() if key not in ("experiment", "seed")}
    try:
        trained = from_settings(type(experiment), settings, where).training(before["seed"])
    except (CheckpointError, SettingError):
        return False  # of another experiment
    return trained == experiment.training(seed)
