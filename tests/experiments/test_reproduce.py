"""Every figure of the paper at a tiny scale, through the real command line."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from symla.algorithms import SymLA
from symla.core.errors import SettingError
from symla.environments import IndependentBandit
from symla.experiments import reproduce as module
from symla.experiments.recipes import Recipe
from symla.experiments.reproduce import train, trained
from symla.outer import EvolutionStrategies
from symla.store import RunFolder
from tests.cli.in_process import typed

NAMES = (
    "figure3",
    "figure4",
    "figure5",
    "figure6",
    "figure7",
    "biased-arms",
    "all-learners",
    "metagenrl-table2",
)


def reproduce(*arguments):
    command = [sys.executable, "-m", "symla", "reproduce", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)


FAST = "biased-arms"
SLOW = [name if name == FAST else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


@pytest.mark.parametrize("name", SLOW)
def test_a_tiny_figure_ends_in_a_picture_and_a_verdict(name, tmp_path):
    folders = ("--results", tmp_path / "results", "--runs", tmp_path / "runs")
    done = reproduce(name, "--scale", "tiny", "--lifetimes", 2, "--devices", 1, *folders)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "tiny" / name
    report = json.loads((folder / "results.json").read_text())
    assert report["verdicts"]
    assert {"command", "revision", "hardware", "seconds_of_testing"} <= report.keys()
    assert (folder / f"{name}.png").stat().st_size > 10_000
    assert len(list(folder.glob("*.gif"))) == len(report.get("recordings", []))
    assert all(verdict["claim"][:20] in done.stdout for verdict in report["verdicts"])
    if name == FAST:  # one is enough: what it trained is a run as any other
        run = tmp_path / "runs" / name / "symla-0"
        for command in (("resume", run, "--devices", 1), ("report", run)):
            again = typed(*command)
            assert again.returncode == 0, again.stderr


def test_an_unknown_figure_is_answered_with_the_nearest():
    done = typed("reproduce", "figure33")
    assert done.returncode == 2
    assert "figure3" in done.stderr


def test_what_was_not_trained_is_left_out_of_several(tmp_path, monkeypatch):
    def here_alone(who: str, folder: Path) -> Path:
        return folder / f"{who}.json"

    # Not where the package and the repository have rules, of more figures from time to time.
    monkeypatch.setattr("symla.experiments.reproduce._found", here_alone)
    done = typed("reproduce", "metagenrl", "--results", tmp_path)
    assert done.returncode == 0
    assert "metagenrl-figure5: left out, for it was not trained" in done.stderr + done.stdout


class Interrupting:
    """Watches nothing, and stops the training after its first generation."""

    def say(self, text): ...
    def start(self, title, measure, references): ...
    def stop(self, generations_done, interrupted): ...

    def progress(self, progress):
        if progress.generation == 1:
            raise KeyboardInterrupt


class Patient(Interrupting):
    def progress(self, progress): ...


OUTER = EvolutionStrategies(population=2)
RECIPE = Recipe(SymLA(hidden_size=4), (IndependentBandit(2),), OUTER, 1, 4, 3, seed=0)


def test_an_interrupted_rule_continues_and_refuses_another_recipe(tmp_path):
    recipe = RECIPE
    folder, runs = tmp_path / "results", tmp_path / "runs"
    run = RunFolder(runs / "small")

    def train_it(recipe, view):
        return train("small", recipe, {}, folder, runs, view)

    with pytest.raises(KeyboardInterrupt):
        train_it(recipe, Interrupting())
    begun = run.config()
    with pytest.raises(SettingError, match="small was begun with other settings"):
        train_it(replace(recipe, generations=4), Patient())
    assert train_it(recipe, Patient())
    assert trained("small", recipe, folder)
    continued = run.config()
    assert len(continued.pop("resumed")) == 1
    assert continued == begun


def test_what_is_to_be_trained_and_how_long_is_said_first(tmp_path):
    recipes = {"first": RECIPE, "second": replace(RECIPE, seed=1, generations=10**6)}

    def cost():
        return module.cost_of_training(tuple(recipes), recipes, tmp_path)

    said = cost()
    assert said.startswith("2 rules are to be trained: 8.0e+06 environment steps, about ")
    assert train("first", RECIPE, {}, tmp_path, tmp_path / "runs", Patient())
    assert cost().startswith("1 rule is to be trained: 8.0e+06 environment steps, about ")
    del recipes["second"]
    assert cost() == ""
    figure = module.Figure6().recipes()
    took = module.cost_of_training(tuple(figure), figure, tmp_path / "figure6")
    assert re.fullmatch(rf"{len(figure)} rules are .* steps, about [\d.]+ h", took)
    last = module.cost_of_training(["symla-taught-4x4-0"], figure, tmp_path)
    assert last.startswith("4 rules are to be trained")  # with those that it begins with


HOLD = """
import fcntl, json, os, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(json.dumps({"host": os.uname().nodename, "process": os.getpid(), "since": "now"}))
file.flush()
print("held", flush=True)
sys.stdin.read()
"""


def test_what_another_process_trains_is_left_to_it_and_waited_for(tmp_path, monkeypatch):
    """Two that were started together share the work: each rule is trained once."""
    folder, runs = tmp_path / "results", tmp_path / "runs"
    (runs / "first").mkdir(parents=True)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, runs / "first" / "lock"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert other.stdout.readline() == b"held\n"
    said, order = [], []

    def train_one(who, *_):
        with RunFolder(runs / who).locked():
            order.append(who)
        return True

    def let_go(seconds):
        other.communicate()

    watch = Patient()
    watch.say = said.append
    (runs / "second").mkdir()
    monkeypatch.setattr(module, "train", train_one)
    monkeypatch.setattr(module.time, "sleep", let_go)
    recipes = {"first": RECIPE, "second": RECIPE}
    assert module.train_all(("first", "second"), recipes, folder, runs, watch)
    assert order == ["second", "first"]
    assert [f"process {other.pid}" in text for text in said] == [True]


def test_a_rule_that_was_trained_meanwhile_is_taken_as_it_is(tmp_path, monkeypatch):
    folder, runs = tmp_path / "results", tmp_path / "runs"
    answers = iter([False, True])  # before and after the lock was had
    monkeypatch.setattr(module, "trained", lambda *_: next(answers))
    assert train("small", RECIPE, {}, folder, runs, Patient())
    assert not RunFolder(runs / "small").config_path.exists()
