"""`symla report`: what runs reached, as tables, figures, or one page; finished or not.

jax is imported late, and only for the lifetime on the page.
"""

from collections.abc import Sequence
from pathlib import Path

from symla.cli.options import ReportOptions, parse
from symla.core.errors import CheckpointError, SettingError, require
from symla.report.terminal import console, print_table
from symla.runtime.machine import prepare_jax
from symla.store import TEST, RunFolder, check_writable, write


def report(arguments: Sequence[str]) -> int:
    """Show what runs reached, and draw their figures: symla report RUN [RUN ...]"""
    options = parse(ReportOptions, arguments, "report")
    require(bool(options.runs), "say which runs: symla report RUN [RUN ...]")
    if options.html:
        require(options.html.suffix == ".html", f"{options.html} must end in .html")
        check_writable(options.html)
    from symla.report.curves import every_run

    if options.watch:
        from symla.cli.watching import watch

        return watch(options.runs, options.port)
    runs = every_run(options.runs)
    folder = RunFolder(options.runs[0])
    if len(options.runs) == 1 and not folder.is_group():
        _show_one(folder)
    else:
        _show_several(runs, options)
    if options.html:
        from symla.cli.run_aggregates import aggregates
        from symla.report.html_report import html_report

        page = html_report(runs, _lifetime(runs), tables=aggregates(runs))
        write(options.html, page.encode())
        print(f"{options.html}: open it in a browser, it needs no network")
    return 0


def _show_one(run: RunFolder) -> None:
    from symla.report.run_figures import draw
    from symla.report.tables import run_table, test_table

    table = test_table if run.config()["experiment"] == TEST else run_table
    print_table(console, *table(run))
    for path in draw(run):
        print(path)


def _show_several(runs: Sequence[RunFolder], options: ReportOptions) -> None:
    from symla.cli.run_aggregates import TITLE, aggregates_table
    from symla.report.curves import overlaid
    from symla.report.figure_files import save
    from symla.report.overlay_figures import draw_overlay
    from symla.report.tables import overlay_table, seeds_table

    folder = RunFolder(options.runs[0])
    if len(options.runs) == 1 and any(run.results_path.exists() for run in runs):
        print_table(console, *seeds_table(runs))
        print()
    measure, groups = overlaid(runs)
    print_table(console, *overlay_table(measure, groups))
    if aggregates := aggregates_table(groups):
        print(f"\n{TITLE}\n")
        print_table(console, *aggregates)
    usual = folder.path / "report.png" if len(options.runs) == 1 else Path("report.png")
    print(save(draw_overlay(measure, groups), options.plot or usual))


def _lifetime(runs: Sequence[RunFolder]) -> str | None:
    """A page on which the first rule that can lives a lifetime."""
    from symla.cli.export import page_of
    from symla.rules.loading import load

    prepare_jax()
    for run in runs:
        try:
            return page_of(str(run.path), load(run.path))
        except (CheckpointError, SettingError):  # none yet, or not a rule of SymLA
            continue
    return None
