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

Table = tuple[Sequence[str], Sequence[Sequence[str]]]  # header and rows


def html_report(
    runs: Sequence[RunFolder],
    lifetime: str | None = None,
    tables: Mapping[str, Table] = MappingProxyType({}),
) -> str:
    """Curves, tables, settings and provenance of the runs; `lifetime` is a page of its own
    (`web_page.live_page`); `tables`, header and rows, by what stands above each, come after the
    curves."""
    within = f'srcdoc="{html.escape(lifetime)}"' if lifetime else ""
    return _page(_runs(runs, tables), _lifetime("", within) if lifetime else "")


def watched_report(
    runs: Sequence[RunFolder],
    lifetime: str | None,
    seconds: int,
    tables: Mapping[str, Table] = MappingProxyType({}),
) -> str:
    """The same of runs that go on: what it says of them is asked for again every so many seconds.

    `lifetime` is the address of a page. It is left alone, as whoever steps through a lifetime
    would lose it; without scripts the whole page is loaded again.
    """
    said = "<p>Of the newest checkpoint; load this page again for a newer one.</p>"
    lives = _lifetime(said, f'src="{lifetime}" loading="lazy"') if lifetime else ""
    refresh = f'<noscript><meta http-equiv="refresh" content="{seconds}"></noscript>'
    script = asset("watch.js").replace("/*SECONDS*/", str(seconds))
    return _page(_runs(runs, tables), lives, refresh, f"<script>\n{script}</script>")


def _page(runs: str, lifetime: str, head: str = "", script: str = "") -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,">{head}<title>symla report</title>'
        f"<style>{asset('report.css')}</style></head>\n<body>\n"
        f'<div id="runs">\n{runs}\n</div>\n<div id="lifetime">{lifetime}</div>\n'
        f"{script}</body></html>\n"
    )


def _lifetime(said: str, source: str) -> str:
    heading = f"<h2>A lifetime to step through</h2>{said}"
    return f'{heading}<iframe title="a rule learning live" {source}></iframe>'


def _runs(runs: Sequence[RunFolder], tables: Mapping[str, Table]) -> str:
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
    return "\n".join(parts)


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
