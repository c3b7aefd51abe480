"""An interrupted run and an uninterrupted one end the same, bit for bit, wherever it was."""

import os
import signal

import pytest

from symla.core import streams
from symla.core.errors import CheckpointError
from symla.store import CheckpointSchedule, RunFolder, load_checkpoint
from symla.training import loop as train
from tests.faults.trainer import create, digest, experiment, probe


@pytest.fixture(scope="module", autouse=True)
def one_generation_a_chunk():
    """So that a signal may come after any of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "CHUNK_SECONDS", 0.0)
        yield


def train_on(folder, generations, stop=None):
    """A signal comes after generation `stop`. Returns how many were done."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def watch(progress):
        if progress.generation == stop:
            os.kill(os.getpid(), numbers[stop % 2])

    bandits = experiment()
    training = bandits.training(0)
    _, done = train.train_rule(
        training,
        generations,
        RunFolder(folder, schedule=CheckpointSchedule(60.0, 7)),
        bandits.manifest(training, "bandit-arms-2"),
        probe=probe,
        probe_every=3,
        watch=watch,
    )
    return done


def interrupt_at(tmp_path, points, generations):
    train_on(create(tmp_path / "whole"), generations)
    expected = digest(tmp_path / "whole")
    for stop in points:
        folder = create(tmp_path / f"stopped-{stop}")
        assert train_on(folder, generations, stop) == stop  # no step lost
        assert train_on(folder, generations) == generations
        assert digest(folder) == expected


def test_some_interruption_points(tmp_path):
    interrupt_at(tmp_path, [1, 2, 6, 7, 8, 12], 13)


@pytest.mark.endurance
def test_50_interruption_points(tmp_path):
    interrupt_at(tmp_path, range(1, 51), 51)


def test_a_run_interrupted_again_and_again(tmp_path):
    train_on(create(tmp_path / "whole"), 13)
    folder = create(tmp_path / "often")
    for stop in (3, 4, 9):
        assert train_on(folder, 13, stop) == stop
    train_on(folder, 13)
    assert digest(folder) == digest(tmp_path / "whole")


def test_checkpoints_by_generation_and_the_best_are_kept(tmp_path):
    folder = create(tmp_path / "run")
    train_on(folder, 30)
    run = RunFolder(folder)
    kept = [path.stem for path in run.checkpoints()]
    assert kept == ["generation-000030", "generation-000028", "generation-000021"]
    best = run.newest_checkpoint().manifest["best"]
    probed = [row for row in run.metrics() if "regret" in row]
    assert best["score"] == -min(row["regret"] for row in probed)
    manifest = load_checkpoint(run.best_path(best["generation"])).manifest
    assert manifest["generation"] == best["generation"]


def test_what_is_raised_on_the_way_costs_nothing(tmp_path):
    """A fault in whoever watches, or in an environment: what was reached is saved."""
    bandits = experiment()
    training = bandits.training(0)

    def broken(progress):
        if progress.generation == 5:
            raise ZeroDivisionError

    run = RunFolder(create(tmp_path / "run"))
    manifest = bandits.manifest(training, "bandit-arms-2")
    with pytest.raises(ZeroDivisionError):
        train.train_rule(training, 9, run, manifest, watch=broken)
    assert run.newest_checkpoint().manifest["generation"] == 5
    assert len(run.metrics()) == 5


def test_other_random_numbers_are_refused(tmp_path, monkeypatch):
    folder = create(tmp_path / "run")
    train_on(folder, 3)
    before = digest(folder)
    monkeypatch.setattr(streams, "numerics", lambda: {"jax": "9.9.9", "prng": "rbg, sequential"})
    with pytest.raises(CheckpointError, match="JAX_DEFAULT_PRNG_IMPL"):
        train_on(folder, 5)
    assert digest(folder) == before


def test_another_jax_is_said(tmp_path, monkeypatch, caplog):
    folder = create(tmp_path / "run")
    train_on(folder, 3)
    now = streams.numerics()
    monkeypatch.setattr(streams, "numerics", lambda: {**now, "jax": "9.9.9"})
    train_on(folder, 4)
    assert "this is 9.9.9" in caplog.text
