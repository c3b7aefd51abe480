"""Tables of stored results, as rows of text; whoever shows them decides how."""

from typing import Any

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
