"""Figures and tables from what is stored alone: of runs with results, without, and half-way."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_figure_with_more_lines_than_styles(tmp_path):
    """Of one learner, all told apart as far as there are styles; a long lifetime stands below."""
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
    assert draw_figure(folder).stat().st_size > 10_000
    paths = draw_recordings(folder)
    assert [path.name for path in paths] == ["lifetime-0.gif", "lifetime-1.gif"]
    assert all(path.read_bytes().startswith(b"GIF") for path in paths)


def test_reading_needs_no_jax():
    """And the table on a terminal no matplotlib: every `--help` imports it."""
    code = (
        "import sys, symla.report.terminal; assert 'matplotlib' not in sys.modules; "
        "import symla.report.paper_figures, symla.report.run_figures, symla.report.tables; "
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
