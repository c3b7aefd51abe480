"""A report of runs as one page of HTML, which needs no network."""

import html
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from types import MappingProxyType

from symla.core.errors import SettingError
from symla.report.curves import overlaid
from symla.report.drawing import matplotlib, our_style
from symla.report.overlay_figures import draw_overlay
from symla.report.tables import overlay_table, run_table, test_table
from symla.report.web_page import asset
from symla.store import TEST, RunFolder


def html_report(
    runs: Sequence[RunFolder],
    lifetime: str | None = None,
    refresh: int | None = None,
    tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[str]]]] = MappingProxyType({}),
) -> str:
    """Curves, tables, settings and provenance of the runs; `lifetime` is a page of its own
    (`web_page.live_page`); with `refresh` the page is asked for again after so many seconds;
    `tables`, header and rows, by what stands above each, come after the curves."""
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    names = ", ".join(str(run.path) for run in runs)
    parts = [
        f"<h1>{_text(names if len(names) < 120 else f'{len(runs)} runs')}</h1>",
        f"<p>{sum(run.results_path.exists() for run in runs)} of {len(runs)} finished</p>",
        *_curves(runs),
        *(
            f'<p>{_text(title)}</p><div class="panel">{_table(*table)}</div>'
            for title, table in tables.items()
        ),
        *(part for run in runs for part in _one(run)),
    ]
    if lifetime:
        parts += [
            "<h2>A lifetime to step through</h2>",
            f'<iframe title="a rule learning live" srcdoc="{html.escape(lifetime)}"></iframe>',
        ]
    body, style = "\n".join(parts), asset("report.css")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,">{again}<title>symla report</title>'
        f"<style>{style}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _curves(runs: Sequence[RunFolder]) -> list[str]:
    try:
        measure, groups = overlaid(runs)
    except SettingError as error:  # nothing to draw, or nothing in common: the tables are there
        return [f"<p>{_text(str(error))}</p>"]
    picture = StringIO()
    with our_style(), matplotlib.rc_context({"svg.hashsalt": "symla"}):
        draw_overlay(measure, groups).savefig(picture, format="svg", metadata={"Date": None})
    svg = picture.getvalue()
    drawn = svg[svg.index("<svg") :]  # without its XML declaration
    return [
        f'<h2>Curves</h2><div class="panel">{drawn}</div>',
        f'<div class="panel">{_table(*overlay_table(measure, groups))}</div>',
    ]


def _one(run: RunFolder) -> list[str]:
    config = run.config()
    table = test_table(run) if config["experiment"] == TEST else run_table(run)
    own = {key: value for key, value in config.items() if key not in ("settings", "schema")}
    return [
        f"<h2>{_text(str(run.path))}</h2>",
        f'<div class="panel">{_table(*table)}</div>',
        *(
            f"<details><summary>{title}</summary>"
            f"<pre>{_text(json.dumps(value, indent=2, ensure_ascii=False))}</pre></details>"
            for title, value in (("Settings", config["settings"]), ("Where it comes from", own))
        ),
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(header, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"


def _text(text: str) -> str:
    return html.escape(text, quote=False)
