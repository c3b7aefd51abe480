"""A run that `symla reproduce` began is a run as any other: loaded, tested, shown, continued."""

import json
import os
import shutil
import signal
from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from symla.cli import main as cli
from symla.core import streams
from symla.experiments import probe as probe_module
from symla.experiments import recipes as recipes_module
from symla.experiments import reproduce
from symla.experiments.symla.figure6 import Figure6
from symla.rules.loading import load
from symla.store import RunFolder, load_manifest, read_json, write_json
from symla.training import loop
from tests.faults.trainer import contents, digest

FIRST, SECOND = "symla-pairs-0", "symla-noise-0"  # the second begins with the rule of the first
PAIRS = replace(Figure6().recipes()[FIRST].tiny(), generations=5, length=6)
RECIPES = {FIRST: PAIRS, SECOND: replace(PAIRS, start=FIRST)}  # alike, so that one compilation does


class View:
    """Sends a signal after generation `stop`; raises before the first one where it is 0."""

    def __init__(self, stop=None):
        self.stop_at, self.said = stop, []

    def say(self, text):
        self.said.append(text)

    def start(self, title, measure, references):
        self.said.append(title)
        if self.stop_at == 0:
            raise KeyboardInterrupt

    def progress(self, progress):
        if progress.generation == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def stop(self, generations_done, interrupted): ...


@pytest.fixture(scope="module", autouse=True)
def small_steps():
    """A generation a chunk, so that a signal may come after any; probes in between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "CHUNK_SECONDS", 0.0)
        patch.setattr(recipes_module, "PROBE_EVERY", 2)
        patch.setattr(probe_module, "PROBE_LIFETIMES", 8)
        for module in ("main", "resume", "test", "train"):  # the devices are those of all tests
            patch.setattr(f"symla.cli.{module}.prepare_jax", lambda *_: None)
        yield


def train(root, who=SECOND, view=None):
    where = root / "results", root / "runs"
    return reproduce.train(who, RECIPES[who], RECIPES, *where, view or View())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Both recipes, trained without an interruption."""
    root = tmp_path_factory.mktemp("whole")
    assert train(root)
    return SimpleNamespace(
        root=root, first=root / "runs" / FIRST, second=root / "runs" / SECOND,
        digest=digest(root / "runs" / SECOND),
    )  # fmt: skip


@pytest.fixture
def begun(whole, tmp_path):
    """A function: train the second recipe in a folder of its own, which `view` stops."""

    def begin(view):
        for kind in ("results", "runs"):
            (tmp_path / kind).mkdir()
        for path in (whole.root / "results").glob(f"{FIRST}.*"):
            shutil.copy(path, tmp_path / "results")
        shutil.copytree(whole.first, tmp_path / "runs" / FIRST)
        try:
            assert not train(tmp_path, view=view)
        except KeyboardInterrupt:
            assert view.stop_at == 0
        return tmp_path / "runs" / SECOND

    return begin


def symla(*arguments):
    return cli.run_command([str(argument) for argument in arguments])


def test_every_run_has_one_manifest(whole):
    """A rule, where it comes from, and how far it is, whatever began the run."""
    for run in map(RunFolder, (whole.first, whole.second)):
        config = run.config()
        assert config["experiment"] == "recipe"
        assert config["streams"] == streams.VERSION
        kinds = {kind: list(run.checkpoints(kind)) for kind in ("generation", "best")}
        assert all(kinds.values())
        for path in (*kinds["generation"], *kinds["best"]):
            manifest = load_manifest(path.with_suffix(".json"))
            assert {
                "schema", "sha256", "algorithm", "spec", "trained_on", "training", "generation",
                "command", "revision", "hardware", "jax", "prng", "streams",
            } <= set(manifest)  # fmt: skip
            assert manifest["training"]["outer"]["class"] == "policy-gradient"
        best = run.newest_checkpoint().manifest["best"]
        probed = [row["score"] for row in run.metrics() if "score" in row]
        assert len(probed) == 3  # after 2, 4 and 5 generations
        assert best["score"] == max(probed)
        assert run.best_path(best["generation"]) in kinds["best"]


def test_a_run_is_loaded_and_tested_and_shown(whole, tmp_path, capsys):
    run = shutil.copytree(whole.second, tmp_path / "run")
    stored = load(whole.root / "results" / f"{SECOND}.safetensors")
    jax.tree.map(np.testing.assert_array_equal, load(run).params, stored.params)
    assert load(run).algorithm == stored.algorithm == RECIPES[SECOND].algorithm
    out = tmp_path / "out.json"
    words = (
        "--environment",
        "bandit-arms-3",
        "--lifetimes",
        4,
        "--length",
        5,
        "--alone",
        "--json",
        out,
    )
    assert symla("test", run, *words) == 0
    assert read_json(out)["lifetimes"] == 4
    assert symla("report", run) == 0
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines() if line[:1].isdigit()][-1] == "5"
    assert "best" in said.out
    assert (run / "figures" / "training.png").stat().st_size > 5_000
    assert "Traceback" not in said.err


def test_a_finished_run_is_resumed_without_a_change(whole, tmp_path, capsys):
    run = shutil.copytree(whole.second, tmp_path / "run")
    before = contents(run)
    assert symla("resume", run) == 0
    assert contents(run) == before
    said = capsys.readouterr()
    assert "is finished" in said.out
    assert "all its 5 generations" in said.out
    assert f"`symla resume {run} --generations N`" in said.out


def test_a_finished_run_goes_on_with_more_generations(whole, tmp_path, capsys):
    run = shutil.copytree(whole.second, tmp_path / "run")
    assert symla("resume", run, "--generations", 6) == 0
    assert [row["generation"] for row in RunFolder(run).metrics()] == [1, 2, 3, 4, 5, 6]
    assert symla("resume", run) == 0
    assert "all its 6 generations" in capsys.readouterr().out


def test_results_of_fewer_generations_do_not_finish_a_run(whole, tmp_path):
    """It was trained on after its tests, and killed before the next ones."""
    run = RunFolder(shutil.copytree(whole.second, tmp_path / "run"))
    tested = replace(RECIPES[SECOND], test_lifetimes=2)
    assert RECIPES[SECOND].finished(run)
    assert not tested.finished(run)
    for generations, finished in ((4, False), (5, True)):
        write_json(run.results_path, {"length": 6, "generations": generations})
        assert tested.finished(run) is finished


@pytest.mark.parametrize("stop", [0, 1, 4])
def test_an_interrupted_run_is_resumed_bit_for_bit(whole, begun, stop, capsys):
    """Also one without a checkpoint yet, which still begins with the rule of the first recipe."""
    run = begun(View(stop))
    assert len(RunFolder(run).metrics()) == stop
    shown = symla("report", run)  # while it is unfinished
    assert shown == 0
    assert symla("resume", run) == 0
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert f"symla test {run}" in said.out
    assert "(" not in said.out.split("--environment")[1].split("\n")[0]  # a name, no Python
    assert digest(run) == whole.digest
    # What is left for `reproduce` is to take the rule: no generation more.
    view = View()
    assert train(run.parents[1], view=view)
    assert digest(run) == whole.digest
    names = [f"{SECOND}.safetensors", f"{SECOND}.json"]
    found, expected = (root / "results" / names[0] for root in (run.parents[1], whole.root))
    assert found.read_bytes() == expected.read_bytes()
    assert reproduce.trained(SECOND, RECIPES[SECOND], run.parents[1] / "results")


def test_an_interrupted_resume_says_how_to_continue(whole, begun, capsys, monkeypatch):
    run = begun(View(1))
    stop = View(3).progress
    monkeypatch.setattr("symla.report.training_view.TrainingView.progress", lambda _, p: stop(p))
    assert symla("resume", run) == 130
    assert f"continue with: symla resume {run}" in capsys.readouterr().out
    assert RunFolder(run).newest_checkpoint().manifest["generation"] == 3
    monkeypatch.undo()
    assert train(run.parents[1])  # and `reproduce` continues what `resume` did not end
    assert digest(run) == whole.digest


@pytest.mark.parametrize("where", ["RunFolder.create", "Rule.save"])
def test_killed_while_the_run_folder_is_made(whole, begun, monkeypatch, where):
    """Between the rule it begins with and the configuration: there is no run that lacks the rule,
    and would be continued from a fresh one."""

    def killed(*_):
        raise KeyboardInterrupt

    view = View(0)
    with monkeypatch.context() as patch:
        patch.setattr(f"symla.experiments.recipes.{where}", killed)
        run = begun(view)
    assert not (run / "config.json").exists()
    assert symla("resume", run) == 2
    assert train(run.parents[1])
    assert digest(run) == whole.digest


def test_a_rule_to_begin_with_that_is_lost_is_missed(begun, capsys):
    run = begun(View(0))
    (run / "start.safetensors").unlink()
    assert symla("resume", run) == 2
    said = capsys.readouterr().err
    assert "start.safetensors" in said
    assert "Traceback" not in said
    assert RunFolder(run).metrics() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"environments": [{"class": "Target"}]}, "trained_on"),
        ({"environments": [{"class": "symla"}]}, "environments cannot be"),
        ({"algorithm": {"class": "Target"}}, "algorithm cannot be"),
        ({"outer": {"class": "ppo"}}, "'ppo'"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_damaged_recipe_is_refused(begun, capsys, change, words):
    """Another one than its checkpoints know, or none at all; nothing is trained."""
    run = begun(View(1))
    config = RunFolder(run).config()
    write_json(run / "config.json", {**config, "settings": {**config["settings"], **change}})
    before = contents(run / "checkpoints")
    assert symla("resume", run) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert contents(run / "checkpoints") == before


def test_other_random_numbers_are_refused_by_both_commands(begun, capsys):
    run = begun(View(1))
    config = read_json(run / "config.json")
    (run / "config.json").write_text(json.dumps({**config, "streams": streams.VERSION + 1}))
    before = contents(run)
    assert symla("resume", run) == 2
    assert f"streams {streams.VERSION + 1}" in capsys.readouterr().err
    with pytest.raises(cli.SymlaError, match="other random numbers"):
        train(run.parents[1])
    assert contents(run) == before
    load(run)  # its rule can be used all the same
