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
MOST_SHOWN = 3  # settings in the name of a group


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
    groups: dict[tuple[str, int], list[RunCurve]] = {}
    seen: Counter[tuple[str, int]] = Counter()
    for run in begun:
        config = run.config()
        turns = turns_of(rows[run.path], config["settings"])
        found = [row for row in _rounds(rows[run.path], measure, turns) if measure in row]
        at, values = (
            np.array([row[name] for row in found], float) for name in ("generation", measure)
        )
        one = _same(config), config["seed"]
        seen[one] += 1  # the same seed again is no other seed: it goes into a group of its own
        groups.setdefault((one[0], seen[one]), []).append(RunCurve(run, one[1], at, values))
    names = _names([curves[0].run for curves in groups.values()])
    return measure, [RunGroup(name, tuple(curves)) for name, curves in zip(names, groups.values())]


def turns_of(rows: Sequence[dict[str, Any]], settings: dict[str, Any]) -> int:
    """After how many generations an environment had its turn again; 1 in runs of versions that did
    not say it yet."""
    return len(settings["environments"]) if rows and "environment" in rows[-1] else 1


def _rounds(rows: list[dict[str, Any]], measure: str, turns: int) -> list[dict[str, Any]]:
    """Where environments take turns, the mean of what candidates earned in one turn of each."""
    if measure != "return_mean" or turns == 1:
        return rows
    rounds = [rows[i : i + turns] for i in range(0, len(rows) - turns + 1, turns)]
    return [each[-1] | {measure: float(np.mean([r[measure] for r in each]))} for each in rounds]


def _same(config: dict[str, Any]) -> str:
    """Equal for runs that differ in their seed, or in where their files are, alone."""
    return json.dumps([config["experiment"], _settings(config)], sort_keys=True)


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Without the seed, and without where files are."""
    own = {"seed", "seeds", "run_dir", "json", "plot"}
    return {key: value for key, value in config["settings"].items() if key not in own}


def _names(runs: Sequence[RunFolder]) -> list[str]:
    """Of groups: what is trained or tested, and where; the length where lifetimes are not equally
    long, for their returns are not the same then; what else differs between those that are still
    called alike, or the folder where that is much."""
    short = [_what(run.config()) for run in runs]
    settings = [_flat(_settings(run.config())) for run in runs]
    lifetimes = ["outer.lifetime" if each.get("outer.lifetime") else "length" for each in settings]
    lengths = {each.get(key) for each, key in zip(settings, lifetimes)}
    names = []
    for name, own, lifetime in zip(short, settings, lifetimes):
        alike = [each for other, each in zip(short, settings) if other == name]
        differ = [key for key in own if any(each.get(key) != own[key] for each in alike)]
        shown = differ if len(differ) <= MOST_SHOWN and not _is_long(own, differ) else []
        if len(lengths) > 1 and own.get(lifetime) is not None:
            shown = list(dict.fromkeys([lifetime, *shown]))
        of = ", ".join(f"{key}={own[key]}" for key in shown if own[key] is not None)
        names.append(f"{name} ({of})" if of else name)
    return [
        name if names.count(name) == 1 else f"{name} ({run.path})" for name, run in zip(names, runs)
    ]


def _is_long(settings: dict[str, Any], keys: Sequence[str]) -> bool:
    """Whether one of these settings is a list, of environments say, and no number or word."""
    return any(isinstance(settings[key], list) for key in keys)


def _flat(settings: dict[str, Any], before: str = "") -> dict[str, Any]:
    """{"outer": {"population": 4}} is {"outer.population": 4}."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        inner = isinstance(value, dict)
        found |= _flat(value, f"{before}{key}.") if inner else {before + key: value}
    return found


def _what(config: dict[str, Any]) -> str:
    settings = config["settings"]
    if config["experiment"] == TEST:
        return f"{settings.get('algorithm')} on {settings.get('environment')}"
    algorithm = settings.get("algorithm", settings.get("learner", {}))
    if isinstance(algorithm, dict):
        algorithm = algorithm.get("class", algorithm.get("algorithm", ""))
    name = str(algorithm)
    where = ", ".join(environment_names(settings.get("environments"))[:3]) or config["experiment"]
    return f"{name} on {where}" if name else where


def environment_names(described: Sequence[Any] | str | None) -> list[str]:
    """How figures call the environments of a run's settings: with what tells them apart."""
    if isinstance(described, str):
        return [described]
    inner = [_flat(x) if isinstance(x, dict) else {"name": x} for x in described or ()]
    names = [_innermost(each) for each in inner]
    found = []
    for name, own in zip(names, inner):
        alike = [each for other, each in zip(names, inner) if other == name]
        differ = [
            f"{key.rpartition('.')[2]}={value}"
            for key, value in own.items()
            if value != name and any(each.get(key) != value for each in alike)
        ]
        of = ", ".join(differ[:MOST_SHOWN])
        found.append(environment_name(f"{name}, {of}" if of else name))
    return found


def _innermost(described: dict[str, Any]) -> str:
    """The name, or the class, of what is transformed, if anything is."""
    kinds = ("class", "id", "name")  # the last that there is says most
    keys = [key for key in described if key.rpartition(".")[2] in kinds]
    ranks = {key: (key.count("."), kinds.index(key.rpartition(".")[2])) for key in keys}
    return str(described[max(ranks, key=ranks.__getitem__)]) if ranks else ""
