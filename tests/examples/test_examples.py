"""The examples run, with small numbers."""

import runpy
import sys
from pathlib import Path

from symla.experiments import probe

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_corridor(tmp_path, monkeypatch, capsys, own_program):
    small = "--train 5 --test 7 --generations 1 --lifetimes 2 --hidden-size 2"
    monkeypatch.setattr(sys, "argv", ["corridor.py", *small.split()])
    monkeypatch.setattr(probe, "PROBE_LIFETIMES", 4)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "corridor.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "Corridor: 5 observations, 2 actions, episodes of at most 10 steps; random play" in out
    assert "7 cells: " in out
    assert (tmp_path / "corridor.png").exists()
