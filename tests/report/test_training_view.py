"""Who watches a training: one bar in a notebook, lines where there is no terminal."""

import sys
from types import ModuleType, SimpleNamespace

from rich.console import Console

from symla.report.training_view import TrainingView


def progress(done, **row):
    return SimpleNamespace(
        generation=done, generations=4, seconds=float(done), row=row, not_finite=0, equal=0
    )


class Shown:
    """What a cell of a notebook shows."""

    def __init__(self):
        self.states = []

    def update(self, html):
        self.states.append(html)


def test_a_notebook_has_one_bar_that_changes(monkeypatch, capsys):
    shown, displays = Shown(), []
    fake = ModuleType("IPython.display")
    fake.HTML = str
    fake.display = lambda html, display_id: displays.append(html) or shown
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    view = TrainingView(Console(force_jupyter=True))
    view.start("corridor", "return", {"random": 0.5})
    for done in (1, 2, 4):
        view.progress(progress(done, **{"return": done / 2}))
    view.close()
    assert len(displays) == 1
    assert all(f'value="{done}" max="4"' in html for done, html in zip((1, 2, 4), shown.states))
    assert "return 2.00" in shown.states[-1]
    assert "generation" not in capsys.readouterr().out


def test_lines_where_there_is_no_terminal(capsys):
    view = TrainingView(Console(force_terminal=False, force_jupyter=False))
    view.start("corridor", "return", {})
    view.progress(progress(1))
    view.progress(progress(4, **{"return": 3.0}))
    said = capsys.readouterr().out
    assert "generation 1/4" in said
    assert "generation 4/4, return 3.00" in said


def test_a_second_training_begins_with_an_estimate_of_its_own(capsys):
    """One view watches all that `symla reproduce --scale full` trains, resumed runs among them."""
    view = TrainingView(Console(force_terminal=False, force_jupyter=False))
    view.start("corridor", "return", {})
    view.progress(progress(3, **{"return": 7.0}))
    view.progress(progress(4))
    capsys.readouterr()
    view.start("maze", "return", {})
    view.progress(progress(1))
    view.last_line -= 100.0
    view.progress(progress(2))
    said = capsys.readouterr().out
    assert "generation 1/4, 0:03 left" in said
    assert "generation 2/4, 0:02 left" in said
