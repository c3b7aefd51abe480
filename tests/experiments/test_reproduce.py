"""Every figure of the paper at a tiny scale, through the real command line."""

import json

import pytest

from symla.cli import run_command
from symla.experiments.reproduce import figures


@pytest.mark.parametrize("name", figures())
def test_a_tiny_figure_ends_in_a_picture_and_a_verdict(name, tmp_path, capsys):
    folders = ["--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")]
    arguments = ["reproduce", name, "--scale", "tiny", "--lifetimes", "2", *folders]
    assert run_command(arguments) == 0
    folder = tmp_path / "results" / "tiny" / name
    report = json.loads((folder / "results.json").read_text())
    assert report["verdicts"]
    assert {"command", "revision", "hardware", "seconds_of_testing"} <= report.keys()
    assert (folder / f"{name}.png").stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert all(verdict["claim"][:20] in printed for verdict in report["verdicts"])
