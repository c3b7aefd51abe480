"""Every block of docs/extending.md runs, in order, in a folder of its own; with small numbers."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from symla.experiments import probe
from tests.cli.in_process import run

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
FILE = re.compile(r"# (\w+\.py)\n")
SMALL = {
    "[Corridor(9), Corridor(15)], generations=200": "Corridor(), generations=1, length=20",
    "generations=100": "generations=2, lifetimes=1, length=20",
    "generations=50": "generations=1, lifetimes=1, length=10, "
    "outer=symla.EvolutionStrategies(population=2)",
    "symla.SymLA()": "symla.SymLA(hidden_size=4)",
    "length=300": "lifetimes=4, length=20",
    '"associations")': '"associations", lifetimes=4, length=20)',
    "population: int = 32": "population: int = 4",
}
SMALL_COMMANDS = {
    "worlds:Corridor worlds:Corridor,cells=15": "worlds:Corridor",
    "--generations 200": "--generations 1 --population 2 --lifetimes 1 --length 20 --hidden-size 4 "
    "--test-lifetimes 2",
    "--length 300": "--length 20 --lifetimes 2",
    "--lifetimes 20": "--lifetimes 2 --length 20",
}


def smaller(text, replacements):
    for large, small in replacements.items():
        text = text.replace(large, small)
    return text


@pytest.fixture
def folder(tmp_path, monkeypatch, own_program):
    monkeypatch.setattr(probe, "PROBE_LIFETIMES", 16)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.mark.slow
def test_every_block_runs(folder, monkeypatch):
    text = PAGE.read_text()
    blocks = re.findall(r"```python\n(.*?)```|^    symla ([^\n]*)$", text, flags=re.S | re.M)
    files = 0
    for block, command in blocks:
        if command:
            code, _, err = run(monkeypatch, *shlex.split(smaller(command, SMALL_COMMANDS)))
            assert code == 0, err
        elif file := FILE.match(block):
            (folder / file[1]).write_text(smaller(block, SMALL))
            files += 1
        else:
            exec(compile(smaller(block, SMALL), str(PAGE), "exec"), {})
    assert files == 5
    assert (folder / "corridor.png").exists()
    assert all(large in text for large in (*SMALL, *SMALL_COMMANDS))
