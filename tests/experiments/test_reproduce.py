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


def test_an_unknown_figure_is_answered_with_the_nearest(capsys):
    assert run_command(["reproduce", "figure33"]) == 2
    assert "figure3" in capsys.readouterr().err


def test_rules_that_are_not_there_are_missed_by_name(tmp_path, capsys):
    assert run_command(["reproduce", "figure7", "--results", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "symla-target-0.safetensors" in said
    assert "--scale full" in said
