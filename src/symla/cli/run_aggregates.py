"""Groups of runs over all environments that they were tested in: a part of `symla report`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from symla.cli.results import Rows
from symla.core.errors import SettingError
from symla.evaluation.aggregates import bootstrapped, interquartile_mean, normalised
from symla.report.curves import RunGroup, overlaid
from symla.store import RunFolder

TITLE = (
    "over all environments: interquartile mean of the returns of final tests, where in each 0 is "
    "random play and 1 the highest mean [95% interval, stratified bootstrap over seeds]"
)


def aggregates_table(groups: Sequence[RunGroup]) -> tuple[list[str], list[list[str]]] | None:
    """Header and rows. None where there is no such mean: it needs several groups, of as many
    finished runs each, at least 2, and at least 2 environments in which all of them were tested."""
    found = [
        [_returns(curve.run.results()) for curve in group.curves if curve.run.results_path.exists()]
        for group in groups
    ]
    seeds = {len(runs) for runs in found}
    if len(groups) < 2 or len(seeds) > 1 or min(seeds) < 2:
        return None
    shared = set.intersection(*(set(run) for runs in found for run in runs))
    if len(shared) < 2:
        return None
    returns = {
        group.name: {e: np.array([run[e][0] for run in runs]) for e in sorted(shared)}
        for group, runs in zip(groups, found)
    }
    random = {e: np.array([run[e][1] for run in found[0]]) for e in sorted(shared)}
    scores = normalised({**returns, "random play": random}, zero="random play")
    rows = [[name, str(bootstrapped(scores[name], interquartile_mean))] for name in returns]
    return [f"over {len(shared)} environments", "IQM"], rows


def aggregates(runs: Sequence[RunFolder]) -> dict[str, Rows]:
    """By title, the tables that take several groups of runs."""
    try:
        table = aggregates_table(overlaid(runs)[1])
    except SettingError:  # no run has begun, or they have nothing in common
        return {}
    return {TITLE: table} if table else {}


def _returns(results: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """By environment: what the rule earned in a lifetime, and random play in the same ones."""
    if "regret" in results:
        who = results["algorithm"]
        return {
            environment: (-row[who]["mean"], -row["random"]["mean"])
            for environment, row in results["regret"].items()
            if "random" in row
        }
    return {
        environment: (tested["rule"]["return"]["mean"], tested["random"]["return"]["mean"])
        for environment, tested in results.get("tests", {}).items()
    }
