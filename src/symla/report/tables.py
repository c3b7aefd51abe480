"""Tables of stored results, as rows of text; whoever shows them decides how."""

import math
from collections.abc import Sequence
from typing import Any

from scipy.special import stdtrit

from symla.report.curves import MEASURES, RunGroup
from symla.report.names import NAMES, environment_name
from symla.store import RunFolder


def training_table(run: RunFolder) -> tuple[list[str], list[list[str]]]:
    """Header and rows for a run without test results.

    Rows are the first, best and last generations that were probed.
    """
    rows = [row for row in run.metrics() if "score" in row] or run.metrics()[-1:]
    measure = "regret" if any("regret" in row for row in rows) else "return"
    header = ["generation", "return of the candidates", f"probed {measure}", "best"]
    best = max(rows, key=lambda row: row.get("score", 0.0), default=None)
    shown = dict.fromkeys(
        row["generation"] for row in (*rows[:1], *([best] if best else []), *rows[-1:])
    )
    table = []
    for row in (row for row in rows if row["generation"] in shown):
        probed = f"{row[measure]:.2f} ± {row[measure + '_ci95']:.2f}" if measure in row else "-"
        mark = "best" if row is best and "score" in row else ""
        table.append([str(row["generation"]), f"{row['return_mean']:.2f}", probed, mark])
    return header, table


def test_table(run: RunFolder) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a long test: mean returns over its lifetimes, at each evaluation."""
    names = "training_return", "evaluation_return"
    header = ["step", "return of training", "return of evaluation"]
    rows = [
        [str(row["generation"]), *(f"{row[x]:.1f}" if x in row else "-" for x in names)]
        for row in run.metrics()
    ]
    return header, rows


def run_table(run: RunFolder) -> tuple[list[str], list[list[str]]]:
    """Header and rows of whatever a run has: its tests, or until then its training."""
    if not run.results_path.exists():
        return training_table(run)
    results = run.results()
    return regret_table(results) if "regret" in results else tests_table(results)


def tests_table(results: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: the rule and its references in each environment, reward a step.

    The last column is the paired difference between the last and the first fifth of a lifetime.
    """
    header = ["reward a step", "first fifth", "last fifth", "difference"]
    rows = []
    for environment, tested in results["tests"].items():
        seen = "trained" if environment in results["trained_on"] else "never seen"
        rows.append([f"{environment_name(environment)} ({seen})", "", "", ""])
        for who, result in tested.items():
            parts = result["first_fifth"]["reward"], result["last_fifth"]["reward"]
            cells = [_shown(part) for part in (*parts, result["improvement"])]
            rows.append([f"  {NAMES.get(who, who)}", *cells])
    return header, rows


def seeds_table(runs: Sequence[RunFolder]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: what the rules of several meta-training seeds reach, mean ± 95% interval
    over seeds, Student's t. Of stages, which have one seed, the last counts."""
    runs = list({run.config()["seed"]: run for run in runs}.values())
    found: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        if not run.results_path.exists():
            continue
        for environment, measures in _measures(run.results()).items():
            for measure, value in measures.items():
                found.setdefault(environment, {}).setdefault(measure, []).append(value)
    header = ["over meta-training seeds", *dict.fromkeys(m for x in found.values() for m in x)]
    rows = [
        [environment_name(name), *(_over(measures.get(m, [])) for m in header[1:])]
        for name, measures in found.items()
    ]
    return header, rows


def overlay_table(measure: str, groups: Sequence[RunGroup]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: how far each group of seeds is, and what it reached there, mean ± 95%
    interval over seeds, Student's t."""
    header = [MEASURES[measure], "seeds", "up to", "reached", "best"]
    rows = []
    for group in groups:
        at, mean, ci95 = group.over_seeds()
        if not at.size:
            rows.append([group.name, str(len(group.curves)), "-", "-", "-"])
            continue
        best = mean.min() if measure == "regret" else mean.max()
        interval = "" if ci95 is None else f" ± {ci95[-1]:.3f}"
        reached = f"{mean[-1]:.3f}{interval}"
        rows.append([group.name, str(len(group.curves)), f"{at[-1]:,.0f}", reached, f"{best:.3f}"])
    return header, rows


def _measures(results: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The numbers of one seed's rule in each environment."""
    if "regret" in results:
        who = results["algorithm"]
        return {e: {"regret": row[who]["mean"]} for e, row in results["regret"].items()}
    return {
        environment: {
            "last fifth": tested["rule"]["last_fifth"]["reward"]["mean"],
            "difference to the first": tested["rule"]["improvement"]["mean"],
            "random, last fifth": tested["random"]["last_fifth"]["reward"]["mean"],
        }
        for environment, tested in results["tests"].items()
    }


def _over(values: Sequence[float]) -> str:
    n = len(values)
    if not n:
        return "-"
    mean = sum(values) / n
    if n == 1:
        return f"{mean:.4f} (1 seed)"
    deviation = math.sqrt(sum((x - mean) ** 2 for x in values) / (n - 1))
    return f"{mean:.4f} ± {float(stdtrit(n - 1, 0.975)) * deviation / math.sqrt(n):.4f} ({n} seeds)"


def _shown(estimate: dict[str, float]) -> str:
    return f"{estimate['mean']:.4f} ± {estimate['ci95']:.4f}"


def regret_table(results: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: one row per learning algorithm, one column per environment.

    Cells are the mean ± the half-width of its 95% interval.
    """
    environments = results["regret"]
    header = ["regret over " + str(results["length"]) + " pulls"]
    for name in environments:
        seen = "trained" if name == results["trained_on"] else "never seen"
        header.append(f"{environment_name(name)} ({seen})")
    everybody = dict.fromkeys(who for row in environments.values() for who in row)
    rows = []
    for who in everybody:
        cells = [row.get(who) for row in environments.values()]
        shown = [f"{c['mean']:.2f} ± {c['ci95']:.2f}" if c else "-" for c in cells]
        rows.append([NAMES[who], *shown])
    return header, rows
