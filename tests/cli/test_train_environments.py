"""`symla train ENV ...`: what a person types, seeds, stages, files, and what is left in the end."""

import json

import pytest

from symla.algorithms import SymLA
from symla.cli import main as cli
from symla.cli import test as cli_test
from symla.cli import train as cli_train
from symla.core.errors import SettingError, UnknownNameError
from symla.experiments.meta_train import meta_train
from symla.rules.loading import load
from symla.store import RunFolder

TINY = (
    "--generations", "2", "--population", "2", "--lifetimes", "1", "--length", "6",
    "--hidden-size", "2", "--test-lifetimes", "4",
)  # fmt: skip

BANDITS = (
    "--outer", "evolution-strategies", "--generations", "2", "--population", "4",
    "--lifetimes", "2", "--length", "6", "--hidden-size", "2", "--test-lifetimes", "4",
)  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """In a folder of its own, on the devices that all tests have."""
    monkeypatch.chdir(tmp_path)
    for module in (cli, cli_train, cli_test):
        if hasattr(module, "prepare_jax"):
            monkeypatch.setattr(module, "prepare_jax", lambda *_: None)
    for name in ("resume", "export"):
        monkeypatch.setattr(f"symla.cli.{name}.prepare_jax", lambda *_: None)
    return tmp_path


def run(*words):
    return cli.run_command([str(word) for word in words])


def test_one_environment_ends_in_a_table_and_a_rule(here, capsys):
    assert run("train", "hearts-2x2", *TINY, "--run-dir", "r") == 0
    said = capsys.readouterr().out
    assert "hearts 2x2 (trained)" in said
    assert "the learned rule" in said
    assert "random" in said
    assert "symla test" in said
    rule = load(here / "r")
    assert rule.card["environment"] == "hearts-2x2"
    results = RunFolder(here / "r").results()
    assert results["trained_on"] == ["hearts-2x2"]
    assert run("report", "r") == 0
    assert run("test", "./r", "--lifetimes", 4, "--length", 6, "--alone") == 0
    assert "hearts-2x2" in capsys.readouterr().out


def test_a_tested_run_can_be_exported(here):
    assert run("train", "hearts-2x2", *TINY, "--run-dir", "r") == 0
    assert run("export", "r", "it.safetensors") == 0
    assert "hearts-2x2" in str(load("./it.safetensors").card["tests"])


def test_seeds_go_on_only_as_they_were_begun(here, capsys):
    """Nothing is written over, neither of a group nor of a single run in its place."""
    group = "train", "bandits", *BANDITS, "--seeds", 0, 1, "--run-dir", "g"
    assert run(*group) == 0
    options = (here / "g" / "train.toml").read_text()
    assert run(*group, "--sigma", 0.7, "--generations", 3) == 2
    assert "search.sigma: None -> 0.7" in capsys.readouterr().err
    assert (here / "g" / "train.toml").read_text() == options
    assert run(*group, "--generations", 3) == 0  # more of the same
    assert RunFolder(here / "g" / "seed-1").generations_done() == 3
    assert len(RunFolder(here / "g" / "seed-1").config()["resumed"]) == 1

    assert run("train", "hearts-2x2", *TINY, "--run-dir", "r") == 0
    options = (here / "r" / "train.toml").read_text()
    assert run("train", "hearts-2x2", *TINY, "--seeds", 4, 5, "--run-dir", "r") == 2
    assert "already holds a run" in capsys.readouterr().err
    assert (here / "r" / "train.toml").read_text() == options


def test_what_is_wrong_is_refused_before_anything_is_written(here, capsys):
    for wrong in (("--generations", 0), ("--test-lifetimes", 1), ("--seeds", 0, 2**32)):
        assert run("train", "hearts-2x2", *TINY, *wrong, "--run-dir", "w") == 2
        assert not (here / "w").exists()
    assert "seed must be between 0 and 2^32 - 1" in capsys.readouterr().err


@pytest.mark.slow
def test_its_file_makes_the_same_run_again(here):
    words = "hearts,size=2", "--permute", "--seed", 3
    assert run("train", *words, *TINY, "--run-dir", "a") == 0
    assert run("train", "--config", "a/train.toml", "--run-dir", "b") == 0
    one, other = (RunFolder(here / name) for name in "ab")
    assert one.config()["settings"] == other.config()["settings"]
    arrays = [r.newest_checkpoint().arrays for r in (one, other)]
    assert all((arrays[0][name] == arrays[1][name]).all() for name in arrays[0])


def test_what_is_typed_counts_more_than_the_file(here):
    (here / "c.toml").write_text('environments = ["target"]\ngenerations = 9\n')
    assert run("train", "hearts-2x2", "--config", "c.toml", *TINY, "--run-dir", "r") == 0
    settings = RunFolder(here / "r").config()["settings"]
    assert settings["generations"] == 2
    assert settings["environments"][0]["class"] == "Hearts"


def test_several_seeds_end_in_one_table(here, capsys):
    assert run("train", "hearts-2x2", *TINY, "--seeds", 0, 1, "--run-dir", "g") == 0
    said = capsys.readouterr().out
    assert "over meta-training seeds" in said
    assert "(2 seeds)" in said
    assert [r.config()["seed"] for r in RunFolder(here / "g").runs()] == [0, 1]
    assert run("resume", "g") == 0  # nothing is left to do
    assert "finished" in capsys.readouterr().out
    assert run("report", "g") == 0
    assert "(2 seeds)" in capsys.readouterr().out


@pytest.mark.slow
def test_stages_begin_with_the_rule_of_the_one_before(here, capsys):
    text = 'environments = ["hearts-2x2"]\n[[stages]]\nsigma = 0.5\n[[stages]]\n'
    (here / "c.toml").write_text(text + 'environments = ["hearts-2x2,episode_length=5"]\n')
    assert run("train", "--config", "c.toml", *TINY, "--run-dir", "g") == 0
    first, second = RunFolder(here / "g").runs()
    assert second.config()["settings"]["start"] == str(first.path.relative_to(here))
    assert "(1 seed)" in capsys.readouterr().out  # two stages are not two seeds
    start, end = load(second.start_path).params, load(first.path).params
    assert (start.bias == end.bias).all()


def test_environments_may_stand_in_the_stages_alone(here):
    """As docs/training.md has it."""
    text = 'seeds = [0]\n[[stages]]\nenvironments = ["hearts", "target"]\n[[stages]]\nsigma = 0.5\n'
    (here / "c.toml").write_text(text)
    arguments, stages, typed = cli_train._with_config(["--config", "c.toml", "--sigma", "0.1"])
    assert arguments == ["hearts", "target", "--seeds", "0", "--sigma", "0.1"]
    assert typed == ["--sigma", "0.1"]
    each = cli_train._of_stages(arguments, stages, typed)
    assert [one.settings.search.sigma for one in each] == [0.1, 0.1]  # what is typed counts more
    with pytest.raises(SettingError, match="leave pendulum out"):
        cli_train._with_config(["pendulum", "--config", "c.toml"])
    assert cli_train._with_config(["--config=c.toml"])[1] == stages
    with pytest.raises(SettingError, match="one --config is enough"):
        cli_train._with_config(["--config=c.toml", "--config", "d.toml"])
    (here / "d.toml").write_text('config = "c.toml"')
    with pytest.raises(SettingError, match="names another file"):
        cli_train._with_config(["--config", "d.toml"])


@pytest.mark.slow
def test_a_warm_start_from_a_shipped_rule(here):
    words = [*TINY[:8], "--test-lifetimes", "4", "--start", "bandits"]
    assert run("train", "hearts-2x2", *words, "--run-dir", "r") == 0
    assert (load(here / "r" / "start.safetensors").params.bias == load("bandits").params.bias).all()


def test_more_generations_of_a_finished_run(here, capsys):
    assert run("train", "hearts-2x2", *TINY, "--run-dir", "r") == 0
    assert run("resume", "r") == 0
    assert "finished" in capsys.readouterr().out
    assert run("resume", "r", "--generations", 3) == 0
    assert RunFolder(here / "r").newest_checkpoint().manifest["generation"] == 3


@pytest.mark.slow
def test_own_classes_are_trained_and_named(here, monkeypatch, capsys):
    (here / "own_worlds.py").write_text(
        "from tests.probes.environments import Corridor as Base\n"
        "from tests.probes.algorithms import Logits as OwnLogits\n"
        "class Corridor(Base): pass\n"
    )
    monkeypatch.syspath_prepend(here)
    words = "own_worlds:Corridor,cells=2", "--algorithm", "own_worlds:OwnLogits"
    assert run("train", *words, *TINY, "--run-dir", "r") == 0
    settings = RunFolder(here / "r").config()["settings"]
    assert settings["environments"] == [{"class": "own_worlds:Corridor", "cells": 2}]
    assert load(here / "r").params.shape == (2,)


def test_tensorboard_gets_the_rows(here):
    assert run("train", "hearts-2x2", *TINY, "--tensorboard", "--run-dir", "r") == 0
    assert list((here / "r" / "tensorboard").glob("events.*"))


@pytest.mark.slow
@pytest.mark.parametrize("world", ["gymnasium:FrozenLake-v1", "hearts-2x2"])
def test_a_policy_gradient_of_lives_that_go_on(here, world):
    """On the host and in JAX; a run of other lifetimes is another one."""
    words = "train", world, *TINY, "--outer", "policy-gradient", "--run-dir", "r"
    assert run(*words, "--lifetime", "12") == 0
    checkpoint = RunFolder(here / "r").newest_checkpoint()
    assert checkpoint.manifest["training"]["outer"]["lifetime"] == 12
    assert sorted(checkpoint.arrays["lives/0/age"].ravel().tolist()) == [6, 12]


def test_metrics_are_one_row_a_generation(here):
    assert run("train", "hearts-2x2", *TINY, "--run-dir", "r") == 0
    rows = [json.loads(line) for line in (here / "r" / "metrics.jsonl").read_text().splitlines()]
    assert [row["generation"] for row in rows] == [1, 2]
    assert {"return_mean", "update_norm", "score", "return", "seconds"} <= set(rows[-1])


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["bandit"], UnknownNameError, "did you mean 'bandits'"),
        (["heart"], UnknownNameError, "'hearts'"),
        (["hearts", "--discount", "0.5"], SettingError, "discount belongs to policy-gradient"),
        (["hearts", "--outer", "policy-gradient", "--sigma", "1"], SettingError, "sigma belongs"),
        (["hearts", "--lifetime", "40"], SettingError, "lifetime belongs to policy-gradient"),
        (
            ["hearts", "--outer", "policy-gradient", "--lifetime", "50", "--length", "20"],
            SettingError,
            "multiple of length, the 20 steps",
        ),
        (["bandits", "hearts"], SettingError, "leave hearts out"),
        (["hearts", "--algorithm", "symm"], UnknownNameError, "'symla'"),
        (["hearts", "--seeds", "1", "1"], SettingError, "differ"),
        (["--seeds"], SettingError, "say what to train on: symla train ENV"),
        (["--seeds", "1", "hearts"], SettingError, "say what to train on first, then the options"),
        (["hearts", "--config"], SettingError, "needs the path"),
        (["hearts", "--start", "bandit"], UnknownNameError, "'bandits'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(here, words, error, said):
    with pytest.raises(error, match=said):
        cli_train.train(words)
    assert not list(here.iterdir())


RNN = 'algorithm = "meta-rnn"\n'


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("", 'environments = ["heart"]', "'hearts'"),
        ("", "sigmma = 0.1", "--sigma"),
        ("", "sigma = 0.0", "sigma must be"),
        ("", "length = 0", "length must be"),
        ("", "lifetimes = 0", "lifetimes must be"),
        ("", "population = 0", "population must be"),
        ("", 'environments = ["hearts,size=0"]', "size must be"),
        ("", "hidden_size = 4", r"rule to begin with is of SymLA\(hidden_size=2\), .* same sizes"),
        ("", 'start = "gridworld"', "begins with the rule of stage 1: leave start out"),
        ("", "seeds = [1]", "seeds above the stages"),
        ("", 'experiment = "bandits"', "stages are for trainings on environments"),
        ("", 'test = ["heart"]', "'hearts'"),
        (RNN, 'environments = ["target"]', "this MetaRNN has weights for 18 inputs"),
        (RNN, 'test = ["target"]', "this MetaRNN has weights for 18 inputs"),
    ],
)
def test_every_stage_is_checked_before_the_first_is_trained(here, first, second, said):
    numbers = "generations = 2\npopulation = 2\nlifetimes = 1\nlength = 6\nhidden_size = 2\n"
    text = f'environments = ["hearts-2x2"]\n{numbers}{first}test_lifetimes = 4\n'
    (here / "c.toml").write_text(f"{text}[[stages]]\nsigma = 0.5\n[[stages]]\n{second}\n")
    with pytest.raises(SettingError, match=f"^stage 2: .*{said}"):
        cli_train.train(["--config", "c.toml", "--run-dir", "g"])
    assert [path.name for path in here.iterdir()] == ["c.toml"]


def test_a_start_of_other_sizes_is_refused(here):
    with pytest.raises(SettingError, match=r"is of SymLA\(\), .* those of SymLA\(hidden_size=2\)"):
        cli_train.train(["hearts-2x2", *TINY, "--start", "bandits"])
    with pytest.raises(SettingError, match="same sizes"):
        meta_train(SymLA(hidden_size=2), "hearts-2x2", start="bandits")
    assert not list(here.iterdir())


@pytest.mark.parametrize("words", [["--help"], ["hearts", "-h"], ["bandits", "--help"]])
def test_help_has_its_headings_and_every_option(words, capsys):
    assert run("train", *words) == 0
    said = capsys.readouterr().out
    for heading in ("what to train on:", "the outer loop:", "the run:", "the machine:"):
        assert heading in said
    assert "--generations N" in said
    assert "--run-dir PATH" in said
    assert max(map(len, said.splitlines())) <= 100
