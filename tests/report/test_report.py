"""Figures and tables from what is stored alone: of runs with results, without, and half-way."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from symla.report import paper_figures
from symla.report.paper_figures import LINES, draw_figure, draw_recordings
from symla.report.run_figures import draw
from symla.report.tables import regret_table, training_table
from symla.store import RunFolder

GOLDEN = Path(__file__).parents[1] / "golden"


def row(generation, score=None):
    probe = {} if score is None else {"score": score, "return": score, "return_ci95": 0.5}
    return {"generation": generation, "return_mean": generation / 2, **probe}


@pytest.fixture
def run(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.create({"experiment": "recipe", "seed": 0, "settings": {}})
    return run


ROWS = {
    "none": ([], []),
    "not probed": ([row(1), row(2)], [["2", "1.00", "-", ""]]),
    "probed once": ([row(1), row(2, -3.0)], [["2", "1.00", "-3.00 ± 0.50", "best"]]),
    "best in the middle": (
        [row(1, -5.0), row(2), row(3, -2.0), row(4, -4.0), row(5, -3.0), row(6)],
        [
            ["1", "0.50", "-5.00 ± 0.50", ""],
            ["3", "1.50", "-2.00 ± 0.50", "best"],
            ["5", "2.50", "-3.00 ± 0.50", ""],
        ],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_run_without_results_shows_its_training(run, name):
    rows, expected = ROWS[name]
    run.append_metrics(rows)
    header, table = training_table(run)
    assert table == expected
    assert all(len(cells) == len(header) for cells in table)
    (path,) = draw(run)
    assert path.stat().st_size > 5_000


@pytest.mark.parametrize("golden", sorted(GOLDEN.iterdir()), ids=lambda path: path.name)
def test_every_schema_is_drawn(golden, tmp_path):
    """Also cumulative regrets without their steps, as schemas 1 and 2 have them."""
    run = RunFolder(shutil.copytree(golden, tmp_path / "run"))
    assert {path.name for path in draw(run)} == {"regret.png", "training.png"}
    header, table = regret_table(run.results())
    assert [len(cells) for cells in table] == [len(header)] * 5


def curve(length, seeds=3):
    points = min(50, length)
    mean = [0.1] * points
    return {"length": length, "mean": mean, "ci95": [0.05] * points, "seeds": [mean] * seeds}


@pytest.fixture
def figure9(tmp_path):
    """The stored results of a figure, with more lines of one learner than there are styles."""
    folder = tmp_path / "figure9"
    folder.mkdir()
    lines = {f"symla, {number}": curve(20) for number in range(len(LINES) + 2)}
    random = curve(20, seeds=1)
    lines |= {"meta-rnn": curve(20), "symla, 10 times as long": curve(200), "random": random}
    step = [0, 1, 2, 1.0]
    results = {
        "figure": "figure9",
        "title": "a title",
        "kind": "curves",
        "length": 20,
        "panels": {"here": lines, "there": {"random": random}},
        "recordings": [{"size": 2, "early": [step] * 2, "late": [[3, 0, 1, -1.0]] * 2}] * 2,
    }
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_a_figure_with_more_lines_than_styles(figure9):
    """All told apart as far as there are styles; a long lifetime stands below."""
    assert draw_figure(figure9).stat().st_size > 10_000
    paths = draw_recordings(figure9)
    assert [path.name for path in paths] == ["lifetime-0.gif", "lifetime-1.gif"]
    assert all(path.read_bytes().startswith(b"GIF") for path in paths)


def test_many_panels_stand_in_rows_and_many_lines_without_their_seeds(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(paper_figures.Figure, "savefig", lambda self, path: drawn.append(self))
    many = {f"learned, {number}": curve(20) for number in range(paper_figures.CROWDED + 1)}
    for panels, lines in ((5, {"symla": curve(20)}), (8, many)):
        folder = tmp_path / str(panels)
        folder.mkdir()
        results = {
            "title": "a title",
            "kind": "curves",
            "length": 20,
            "panels": {str(number): lines for number in range(panels)},
        }
        (folder / "results.json").write_text(json.dumps(results))
        draw_figure(folder)
    few, crowded = drawn
    assert [axis.get_visible() for axis in few.axes] == [True] * 5 + [False]
    rows = {axis.get_subplotspec().rowspan.start for axis in crowded.axes}
    assert len(crowded.axes) == 8 and rows == {0, 1}
    seeds = len(curve(20)["seeds"])
    assert len(few.axes[0].lines) == 1 + seeds + 1  # the mean, its seeds, and zero
    assert len(crowded.axes[0].lines) == len(many) + 1


HOSTILE = {
    "text.usetex": "True",
    "font.size": "30",
    "figure.figsize": "1, 1",
    "savefig.format": "pdf",
    "savefig.bbox": "tight",
    "animation.writer": "html",
    "backend": "module://no_such_module",
}
DRAW = "import sys; from tests.report.test_report import drawn; drawn(*sys.argv[1:])"


def drawn(folder, target):
    """The bytes of every figure there is, drawn into `target`."""
    run = shutil.copytree(GOLDEN / "schema-4", Path(target) / "run")
    figure = shutil.copytree(folder, Path(target) / "figure9")
    paths = [*draw(RunFolder(run)), draw_figure(figure), *draw_recordings(figure)]
    return [path.read_bytes() for path in paths]


@pytest.mark.slow
def test_figures_are_the_same_whatever_the_surroundings_of_matplotlib(figure9, tmp_path):
    """A notebook's backend, a backend that is none, a matplotlibrc of one's own; and all of these
    stay as they are, the figures of the program around too."""
    settings = tmp_path / "matplotlibrc"
    settings.write_text("".join(f"{name}: {value}\n" for name, value in HOSTILE.items()))
    plain = drawn(figure9, tmp_path / "plain")
    backend, target = "module://matplotlib_inline.backend_inline", tmp_path / "hostile"
    surroundings = {"MPLBACKEND": backend, "MATPLOTLIBRC": str(settings)}
    code = f"{DRAW}; import os; assert os.environ['MPLBACKEND'] == {backend!r}"
    subprocess.run(
        [sys.executable, "-c", code, figure9, target],
        check=True, timeout=60, env=os.environ | surroundings, cwd=GOLDEN.parents[1],
    )  # fmt: skip
    shown = sorted(path for path in target.rglob("*") if path.suffix in (".png", ".gif"))
    assert sorted(path.read_bytes() for path in shown) == sorted(plain)
    import matplotlib  # only now: in the process above it would be imported before ours

    with matplotlib.rc_context({"font.size": 30}):
        before = dict(matplotlib.rcParams)
        assert drawn(figure9, tmp_path / "within") == plain
        assert dict(matplotlib.rcParams) == before


def test_reading_needs_no_jax():
    """And the table on a terminal no matplotlib: every `--help` imports it."""
    code = (
        "import sys, symla.report.terminal; assert 'matplotlib' not in sys.modules; "
        "import symla.report.paper_figures, symla.report.run_figures, symla.report.tables; "
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
