"""What `symla train` prints to be copied: whole commands, in any terminal, of any path."""

import ast
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from symla.cli import train, training_runs
from symla.core.errors import SettingError
from symla.experiments import EnvironmentTraining
from symla.experiments.environment_training import WorldSettings
from symla.report.training_view import TrainingView
from symla.runtime import provenance
from symla.store import RunFolder, new_folder

LONG = Path("/somewhere/" + "a long name/" * 9 + "it's")


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("path", [LONG, Path("f run")], ids=["long", "short"])
def test_how_to_use_a_run_can_be_pasted(capsys, terminal, path):
    shown = io.StringIO()
    view = TrainingView(Console(file=shown, force_terminal=terminal, width=80))
    training_runs.say_how_to_use(RunFolder(path), view, "bandit-arms-5", measure=".regret")
    training_runs.stopped(RunFolder(path), view)
    lines = (shown.getvalue() if terminal else capsys.readouterr().out).splitlines()
    command = next(line for line in lines if "symla test" in line)
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, check=True, text=True
    ).stdout.splitlines()
    assert words[:2] + words[3:] == ["symla", "test", "--environment", "bandit-arms-5"]
    assert Path(words[2]) == path
    assert any(line.startswith("continue with: symla resume ") for line in lines)
    code = ast.parse(next(line for line in lines if "symla.load" in line).strip())
    assert Path(code.body[0].value.args[0].value) == path


def test_what_was_changed_stands_in_both_lines():
    shown = io.StringIO()
    view = TrainingView(Console(file=shown, force_terminal=True))
    settings = {"world": WorldSettings(permute=True, project=4, swap_rewards=0.5)}
    recipe = EnvironmentTraining(("hearts,size=4",), **settings).recipe(0)
    where, changes = recipe.where()
    assert (where, changes) == ("hearts,size=4", {"permute": True, "project": 4})
    training_runs.say_how_to_use(RunFolder(Path("run")), view, where, changes)
    assert "test ./run --environment hearts,size=4 --permute --project 4\n" in shown.getvalue()
    assert "meta_test(rule, 'hearts,size=4', permute=True, project=4)" in shown.getvalue()
    training_runs.say_how_to_use(RunFolder(Path("run")), view, "m:C,name='a b'")
    assert """--environment 'm:C,name='"'"'a b'"'"''""" in shown.getvalue()
    training_runs.say_how_to_use(RunFolder(Path("run")), view, None)  # a class without a name
    assert shown.getvalue().rstrip().endswith("rule = symla.load('./run')")


def test_two_runs_of_a_sweep_in_one_second_have_two_folders(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train.time, "strftime", lambda form: "20250101-000000")
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(train._new_folder, ["bandits-seed0"] * 8))
    names = {"", *(f"-{number}" for number in range(2, 9))}
    assert set(folders) == {Path(f"runs/bandits-seed0-20250101-000000{name}") for name in names}
    for folder in folders:
        RunFolder(folder).create({})
    monkeypatch.setattr(train, "is_writer", lambda: False)  # of several, one makes it
    assert not train._new_folder("other").exists()


def test_a_run_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(SettingError, match="choose another --run-dir"):
        new_folder(tmp_path / "runs" / "mine")


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        (None, "symla train 'a b'"),
        (SimpleNamespace(name="symla.__main__"), "python -m symla train 'a b'"),
        (SimpleNamespace(name="symla.experiments.shipped"),
         "python -m symla.experiments.shipped train 'a b'"),
    ],
)  # fmt: skip
def test_the_command_that_made_a_run_is_one_that_runs(monkeypatch, spec, shown):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/symla", "train", "a b"])
    monkeypatch.setattr(sys, "executable", "/usr/bin/python")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    assert provenance.command() == shown
