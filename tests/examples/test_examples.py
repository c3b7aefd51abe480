"""The examples run, with small numbers, and each is short."""

import re
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from symla.experiments import probe

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(EXAMPLES.glob("*.md"))
CELL = re.compile(r"```\{code-cell\} python\n(.*?)```", re.S)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, own_program):
    """Run a script with these arguments, in a folder of its own; what it printed."""
    monkeypatch.setattr(probe, "PROBE_LIFETIMES", 4)
    monkeypatch.chdir(tmp_path)

    def run(name, arguments=""):
        monkeypatch.setattr(sys, "argv", [name, *arguments.split()])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_corridor(run, tmp_path):
    out = run("corridor.py", "--cells 5 7 --generations 1 --hidden-size 2")
    assert "Corridor: 5 observations, 2 actions, episodes of at most 10 steps; random play" in out
    assert "7 cells: " in out
    assert (tmp_path / "corridor.png").exists()


def test_rule_in_gymnasium(run, tmp_path):
    out = run("rule_in_gymnasium.py", "--steps 100")
    assert re.search(r"^\d+ episodes, their lengths: \[\d+", out)
    assert re.search(r"its next action would be [01]$", out)
    assert (tmp_path / "agent.safetensors").exists()


def test_rule_in_another_environment(run):
    out = run("rule_in_gymnasium.py", "--rule q-learning --environment FrozenLake-v1 --steps 50")
    assert re.search(r"its next action would be [0-3]$", out)


@pytest.mark.slow
def test_cross_entropy(run):
    assert "regret in 100 pulls: " in run("cross_entropy.py", "1")


@pytest.mark.slow
def test_continuous_control(run):
    out = run("continuous_control.py", "--length 600")
    assert "3 observations, actions are Continuous(size=1)" in out
    assert len(re.findall(r"at the end \(-\d+\.\d+, -\d+\.\d+\)", out)) == 2
    assert re.search(r"its action without exploring: \[-?\d", out)


@pytest.mark.slow
def test_learn_an_objective(run):
    out = run("learn_an_objective.py", "--generations 1 --agents 2 --length 200")
    assert re.findall(r"^(learned|by hand): returns", out, re.M) == ["learned", "by hand"]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(notebook, tmp_path, monkeypatch, capsys, own_program):
    """Its cells, one after the other, with or without IPython; how they look, the site shows."""
    python = ModuleType("IPython")
    python.version_info = (9, 0)  # matplotlib asks for it
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(
        sys.modules, "IPython.display", SimpleNamespace(Image=lambda name: Path(name).read_bytes())
    )
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    cells = CELL.findall(notebook.read_text())
    assert len(cells) >= 3
    for cell in cells:
        small = re.sub(r"lifetimes=\d+", "lifetimes=4", cell)
        exec(compile(re.sub(r"length=\d+", "length=20", small), notebook.name, "exec"), names)
    assert capsys.readouterr().out
    assert list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("path", [*SCRIPTS, *NOTEBOOKS], ids=lambda path: path.name)
def test_examples_are_short(path):
    assert len(path.read_text().splitlines()) < 60


def test_every_script_is_tested():
    source = Path(__file__).read_text()
    assert {path.name for path in SCRIPTS} == set(re.findall(r'run\("(\w+\.py)"', source))
