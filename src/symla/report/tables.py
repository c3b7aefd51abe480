"""Tables of stored results, as rows of text; whoever shows them decides how."""

from typing import Any

from symla.report.names import NAMES, environment_name


def regret_table(results: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row a learning algorithm, a column an environment, mean ± 95% interval."""
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
