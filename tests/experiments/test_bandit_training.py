"""`symla train bandits`: which outer loop it takes, and with what settings."""

import json

import pytest

from symla.algorithms import MAML, MetaRNN, SymLA
from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.experiments import Bandits
from symla.experiments.bandit_training import SearchSettings
from symla.experiments.figures import lifetime_ppo
from symla.experiments.training_options import LearnerSettings
from symla.outer import EvolutionStrategies, LifetimePPO
from symla.store import RunFolder
from tests.cli.in_process import run

EVOLUTION = EvolutionStrategies(128, 0.4, Optimiser(0.05, decay_steps=400), "ranks", 400)
BEFORE = {  # what runs of versions before 0.2 hold
    "generations": 500, "population": 128, "lifetimes": 16, "sigma": 0.4, "learning_rate": 0.05,
    "annealing": 400, "shaping": "ranks",
}  # fmt: skip


def outer_of(algorithm, **search):
    learner, search = LearnerSettings(algorithm), SearchSettings(**search)
    return Bandits(length=200, learner=learner, search=search).training(0)


def test_the_usual_loop_is_that_of_figure_4():
    assert SearchSettings().build() == lifetime_ppo(600)
    assert outer_of("symla").outer == outer_of("meta-rnn").outer == lifetime_ppo(600)


@pytest.mark.parametrize(
    "search", [BEFORE, {"sigma": 0.4}, {"shaping": "ranks"}, {"outer": "evolution-strategies"}]
)
def test_evolution_strategies_where_their_options_are(search):
    assert SearchSettings(**search).build() == EVOLUTION


def test_evolution_strategies_for_what_has_no_gradient():
    assert outer_of("maml").outer == EVOLUTION
    assert isinstance(outer_of("maml").algorithm, MAML)


def test_options_change_the_loop_they_belong_to():
    few = SearchSettings(population=2, annealing=10, discount=0.9, entropy=0.0).build()
    assert isinstance(few, LifetimePPO)
    assert (few.population, few.minibatches, few.discount, few.entropy) == (2, 2, 0.9, 0.0)
    assert few.optimiser.decay_steps == 10 * few.update_epochs * few.minibatches
    assert SearchSettings(sigma=0.1, annealing=0).build().optimiser.decay_steps == 0


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"sigma": 0.1, "discount": 0.9}, "discount belongs to lifetime-ppo"),
        ({"outer": "lifetime-ppo", "sigma": 0.1}, "sigma belongs to evolution-strategies"),
        ({"population": 7}, "population must be an even number"),
        ({"annealing": -1}, "annealing must be at least 0"),
    ],
)
def test_what_does_not_belong_together_is_refused(search, words):
    with pytest.raises(SettingError, match=words):
        SearchSettings(**search).build()


def test_a_training_by_ppo_is_stored_resumed_and_tested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = "--population", 2, "--lifetimes", 1, "--length", 5, "--test-lifetimes", 2
    words = "bandits", *small, "--hidden-size", 2, "--test-arms", 5, "--generations", 1
    assert run(monkeypatch, "train", *words, "--run-dir", "r")[0] == 0
    assert run(monkeypatch, "resume", "r", "--generations", 2)[0] == 0
    folder = RunFolder(tmp_path / "r")
    assert folder.generations_done() == 2
    manifest = json.loads(next((tmp_path / "r" / "checkpoints").glob("*2.json")).read_text())
    assert manifest["outer"]["class"] == "lifetime-ppo"
    assert set(folder.results()["regret"]) == {"bandit-arms-2", "bandit-arms-5"}
    assert isinstance(outer_of("symla").algorithm, SymLA)
    assert isinstance(outer_of("meta-rnn").algorithm, MetaRNN)
