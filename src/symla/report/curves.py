"""What runs reached over their training or their lifetime, laid over one another."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from symla.core.errors import require
from symla.report.names import environment_name
from symla.store import TEST, RunFolder

# Columns of the metrics and what they are, the best first: the first is shown that all runs have,
# if possible at more than one point.
MEASURES = {
    "evaluation_return": "return of an episode, without exploring",
    "training_return": "return of an episode, exploring",
    "regret": "regret of the rule, probed",
    "return": "return of a lifetime, probed",
    "return_mean": "return of a lifetime, mean of the candidates",
}


@dataclass(frozen=True)
class RunCurve:
    """One measure of one run, at the generations (or steps) that have it."""

    run: RunFolder
    seed: int
    at: Float[np.ndarray, " points"]
    values: Float[np.ndarray, " points"]


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ in their seed alone; its statistics are over seeds."""

    name: str
    curves: tuple[RunCurve, ...]

    def over_seeds(
        self,
    ) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"], Any]:
        """Where every seed has the measure: where that is, the mean, and the half-width of its 95%
        interval, Student's t over seeds; None for one seed."""
        found = [dict(zip(curve.at.tolist(), curve.values.tolist())) for curve in self.curves]
        shared = sorted(set.intersection(*map(set, found)))
        values = np.array([[curve[x] for x in shared] for curve in found])
        n = len(self.curves)
        if n == 1 or not shared:
            return np.array(shared), values.mean(axis=0), None
        error = values.std(axis=0, ddof=1) / np.sqrt(n)
        return np.array(shared), values.mean(axis=0), float(stdtrit(n - 1, 0.975)) * error


def every_run(paths: Sequence[Path]) -> list[RunFolder]:
    """Those that the folders are, or hold. Raises CheckpointError for a folder of no run."""
    runs: list[RunFolder] = []
    for path in paths:
        folder = RunFolder(path)
        runs += folder.runs() if folder.is_group() else [folder]
    for run in runs:
        run.config()
    return runs


def overlaid(runs: Sequence[RunFolder]) -> tuple[str, list[RunGroup]]:
    """The measure that all runs have, one of MEASURES, and their curves, grouped by settings.

    A run without metrics, which has just begun, is left out. Raises SettingError if none has any,
    or if they have no measure in common.
    """
    rows = {run.path: run.metrics() for run in runs}
    begun = [run for run in runs if rows[run.path]]
    require(bool(begun), "there is nothing to draw yet: none of these runs has any metrics")
    had = [Counter(name for row in rows[run.path] for name in row) for run in begun]
    shared = [name for name in MEASURES if all(counts[name] for counts in had)]
    curves = [name for name in shared if all(counts[name] > 1 for counts in had)]
    require(
        bool(shared),
        "these runs have no measure in common: lay runs of `symla train` over one another, or of "
        "`symla test --run-dir`",
    )
    measure = (curves or shared)[0]
    groups: dict[str, list[RunCurve]] = {}
    for run in begun:
        found = [row for row in rows[run.path] if measure in row]
        at, values = (
            np.array([row[name] for row in found], float) for name in ("generation", measure)
        )
        config = run.config()
        groups.setdefault(_same(config), []).append(RunCurve(run, config["seed"], at, values))
    names = _names([curves[0].run for curves in groups.values()])
    return measure, [RunGroup(name, tuple(curves)) for name, curves in zip(names, groups.values())]


def _same(config: dict[str, Any]) -> str:
    """Equal for runs that differ in their seed, or in where their files are, alone."""
    own = {"seed", "seeds", "run_dir", "json", "plot"}
    settings = {key: value for key, value in config["settings"].items() if key not in own}
    return json.dumps([config["experiment"], settings], sort_keys=True)


def _names(runs: Sequence[RunFolder]) -> list[str]:
    """Of groups: what is trained or tested, and where; with the folder where that is not unlike."""
    short = [_what(run.config()) for run in runs]
    if len(set(short)) == len(short):
        return short
    return [f"{name} ({run.path})" for name, run in zip(short, runs)]


def _what(config: dict[str, Any]) -> str:
    settings = config["settings"]
    if config["experiment"] == TEST:
        return f"{settings.get('algorithm')} on {settings.get('environment')}"
    algorithm = settings.get("algorithm", settings.get("learner", {}))
    if isinstance(algorithm, dict):
        algorithm = algorithm.get("class", algorithm.get("algorithm", ""))
    name = str(algorithm)
    where = settings.get("environments", config["experiment"])
    if isinstance(where, list):
        shown = [w.get("name", w.get("class", "")) if isinstance(w, dict) else w for w in where]
        where = ", ".join(environment_name(str(each)) for each in shown[:3])
    return f"{name} on {where}" if name else str(where)
