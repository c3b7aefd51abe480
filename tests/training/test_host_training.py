"""Meta-training where environments are on the host: faults on the way, devices, processes."""

import pytest

from symla.core.errors import FaultyEnvironmentError
from symla.core.optimisers import Optimiser
from symla.lifetimes.resolve import make
from symla.outer import EvolutionStrategies, PolicyGradient
from symla.store import RunFolder
from symla.training import loop
from symla.training.generation import Training
from tests.cli.test_main import symla
from tests.faults.host_trainer import count_devices, probe
from tests.faults.trainer import child, create, digest
from tests.probes.algorithms import Remembers
from tests.training.test_distributed import checkpoint_of, train_together

LOOPS = {
    "evolution-strategies": EvolutionStrategies(2, optimiser=Optimiser(0.01)),
    "policy-gradient": PolicyGradient(2, Optimiser(0.01), lifetime=8),
}


@pytest.mark.slow
@pytest.mark.parametrize("outer", LOOPS)
def test_a_fault_keeps_what_was_reached_and_resume_goes_on(outer, tmp_path, monkeypatch):
    """An environment that raises once its licence is gone, for as long as it is."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    monkeypatch.setenv("LICENCE", str(tmp_path / "licence"))
    world = make("tests.bridge.registered:Licensed")
    training = Training(Remembers(), (world,), LOOPS[outer], 2, 4, 0)

    def train(name, generations, watch=lambda progress: None):
        run = RunFolder(tmp_path / name)
        return loop.train_rule(
            training, generations, run, {}, probe=probe, probe_every=1, watch=watch
        )

    def lose_it(progress):
        if progress.generation == 3:
            (tmp_path / "licence").unlink()

    for name in ("whole", "parts"):
        create(tmp_path / name)
    (tmp_path / "licence").touch()
    train("whole", 6)
    where = r"Licensed: raised OSError: no licence .*It was lifetime 1, at step \d+; seed \d+"
    with pytest.raises(FaultyEnvironmentError, match=where):
        train("parts", 6, lose_it)
    assert RunFolder(tmp_path / "parts").newest_checkpoint().manifest["generation"] == 3
    (tmp_path / "licence").touch()
    train("parts", 6)
    assert digest(tmp_path / "parts") == digest(tmp_path / "whole")


@pytest.mark.slow
def test_the_number_of_devices_changes_no_bit(tmp_path):
    process = child(count_devices, tmp_path)
    process.join(300)
    assert process.exitcode == 0
    for name in ("evolution-strategies", "gymnasium"):
        one, two = ((tmp_path / f"{name}-{count}").read_bytes() for count in (1, 2))
        assert len(one) > 50
        assert one == two


@pytest.mark.slow
@pytest.mark.parametrize("outer", LOOPS)
def test_two_processes_equal_one(outer, tmp_path):
    words = [
        "gymnasium:FrozenLake-v1", "--outer", outer, "--algorithm", "meta-rnn",
        "--hidden-size", 4, "--generations", 3, "--population", 4, "--lifetimes", 1,
        "--length", 8, "--test-lifetimes", 16,
    ]  # fmt: skip
    if outer == "policy-gradient":
        words += ["--lifetime", 16]
    alone = symla("train", *words, "--run-dir", tmp_path / "one", "--devices", 1)
    assert alone.returncode == 0, alone.stderr
    first, second = train_together(tmp_path / "two", (0, 0), words)
    assert first[1] == second[1] == 0, (first, second)
    assert checkpoint_of(tmp_path / "one") == checkpoint_of(tmp_path / "two")
