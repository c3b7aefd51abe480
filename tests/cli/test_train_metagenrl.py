"""`symla train ... --algorithm metagenrl`: from its command line to agents of frozen objectives."""

import pytest

from symla.algorithms import MetaGenRL
from symla.algorithms.metagenrl import LearnedObjective
from symla.cli import train as cli_train
from symla.core.errors import SettingError, SizeError
from symla.experiments.environment_training import EnvironmentTraining
from symla.experiments.outer_options import OuterSettings
from symla.experiments.training_options import LearnerSettings
from symla.outer import ThroughCritic
from symla.rules.loading import load
from symla.store import RunFolder
from tests.cli.in_process import typed

SMALL = (
    "metagenrl,units=(4,),objective.units=4,capacity=40,batch=4,chunks=2,length=3,"
    "random_steps=4,workers=2,interval=4"
)
TINY = (
    "--algorithm", SMALL, "--agents", "2", "--generations", "2", "--lifetime", "8", "--youth", "0",
    "--test-lifetimes", "64", "--run-dir", "r",
)  # fmt: skip
LINEAR = "linear-system,episode_length=3"


def learner(**settings):
    return LearnerSettings(algorithm="metagenrl", **settings)


def test_its_outer_loop_and_numbers_follow_from_the_algorithm():
    worlds = "point-navigation", "linear-system"
    recipe = EnvironmentTraining(worlds, learner=learner()).recipe(3)
    assert recipe.algorithm == MetaGenRL()
    assert recipe.outer == ThroughCritic(18, generations=300)
    assert (recipe.lifetimes, recipe.length, recipe.generations) == (1, 50, 300)
    assert recipe.lifetime == 4800  # of an agent, in its four environments
    assert recipe.environment_steps == 300 * 18 * 50 * 4
    search = OuterSettings(agents=6, generations=90, lifetime=400, led=0.0, learning_rate=1e-3)
    outer = EnvironmentTraining(worlds, learner=learner(), search=search).recipe(3).outer
    assert (outer.population, outer.generations, outer.lifetime, outer.led) == (6, 90, 400, 0.0)
    assert outer.optimiser.learning_rate == 1e-3


def test_the_papers_settings_are_a_preset_of_both():
    paper = learner(preset="paper").build()
    assert paper.objective == LearnedObjective()
    assert (paper.inner, paper.units, paper.chunks) == ("weights", (350, 350), 100)
    outer = OuterSettings("through-critic").build(False, "paper")
    assert (outer.population, outer.lifetime, outer.led, outer.annealing) == (20, 0, 0.0, "mix")
    assert outer.generations == 0  # its rate does not fall


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["hearts", "--algorithm", "metagenrl"], SizeError, "learns continuous actions"),
        (["pendulum", "--algorithm", "metagenr"], Exception, "'metagenrl'"),
        (["pendulum", "--algorithm", "metagenrl", "--preset", "pape"], Exception, "'paper'"),
        (["pendulum", "--algorithm", "metagenrl", "--sigma", "1"], SettingError, "sigma belongs"),
        (["hearts", "--agents", "4"], SettingError, "agents belongs to through-critic"),
        (["hearts", "--preset", "paper"], SettingError, "no presets"),
        (
            ["pendulum", "arm", "--algorithm", "metagenrl", "--agents", "1"],
            SettingError,
            "at least 1 agent for each of the 2 environments",
        ),
        (
            ["pendulum", "--algorithm", "metagenrl,capacity=1000000000"],
            SettingError,
            "agents need .* GB",
        ),
        (
            ["arm", "--algorithm", "metagenrl,objective.observation=true", "--test", "pendulum"],
            SizeError,
            "of another objective",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    tmp_path, monkeypatch, words, error, said
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_train, "prepare_jax", lambda *_: None)
    with pytest.raises(error, match=said):
        cli_train.train(words)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_it_is_trained_resumed_tested_and_used(tmp_path):
    assert typed("train", LINEAR, *TINY, cwd=tmp_path).returncode == 0
    run = RunFolder(tmp_path / "r")
    assert run.generations_done() == 2
    rule = load(run.path)
    assert rule.algorithm.objective == LearnedObjective(units=4)
    assert "finished" in typed("resume", "r", cwd=tmp_path).stdout
    refused = typed("resume", "r", "--generations", 3, cwd=tmp_path)  # at a rate of 0
    assert refused.returncode == 2 and "--start ./r" in refused.stderr
    longer = "--start", "r", *TINY, "--run-dir", "longer"
    assert typed("train", LINEAR, *longer, cwd=tmp_path).returncode == 0

    where = "--environment", "pendulum", "--length", 32, "--evaluate-every", 0
    assert typed("test", "r", *where, cwd=tmp_path).returncode == 0
    changed = load(f"{run.path},units=(8,),workers=1")
    assert (changed.algorithm.units, changed.algorithm.workers) == ((8,), 1)
    assert changed.card["algorithm"]["objective"]["class"] == "learned-objective"


@pytest.mark.slow
def test_a_population_in_simulators(tmp_path):
    worlds = "gymnasium:Pendulum-v1", LINEAR
    assert typed("train", *worlds, *TINY, cwd=tmp_path).returncode == 0
    rows = RunFolder(tmp_path / "r").metrics()
    assert [row["not_finite"] for row in rows] == [0, 0]
    assert rows[1]["update_norm"] > 0
