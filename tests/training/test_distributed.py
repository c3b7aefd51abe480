"""Several real processes that train together give what one gives, bit for bit."""

import os
import socket
import subprocess
import sys

import pytest

from tests.cli.in_process import typed
from tests.cli.test_main import SMALL, command, symla


def train_together(folder, seeds, words=("bandits", *SMALL)):
    """A process for each seed, all on this machine. Returns them, finished."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = [
        subprocess.Popen(
            command(
                "train", *words, "--run-dir", folder, "--devices", 1, "--distributed",
                "--coordinator", f"localhost:{port}", "--processes", len(seeds),
                "--process-id", number, "--seed", seed,
            ),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number, seed in enumerate(seeds)
    ]  # fmt: skip
    return [(p.communicate(timeout=300), p.returncode) for p in processes]


def checkpoint_of(folder):
    return next((folder / "checkpoints").glob("generation-*.safetensors")).read_bytes()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    alone = typed("train", "bandits", *SMALL, "--run-dir", tmp_path / "one", "--devices", 1)
    assert alone.returncode == 0, alone.stderr
    first, second = train_together(tmp_path / "two", seeds=(0, 0))
    assert first[1] == second[1] == 0, (first, second)
    assert "testing" in first[0][0]
    assert "generation" not in second[0][0]  # one of them speaks
    assert checkpoint_of(tmp_path / "one") == checkpoint_of(tmp_path / "two")


@pytest.mark.slow
def test_a_population_of_two_processes_equals_that_of_one(tmp_path):
    small = "units=(4,),capacity=40,batch=4,chunks=2,length=3,random_steps=4,workers=2,interval=10"
    words = (
        "point-navigation", "--algorithm", f"metagenrl,{small}", "--agents", 3,
        "--generations", 3, "--length", 10, "--test-lifetimes", 2,
    )  # fmt: skip
    alone = symla("train", *words, "--run-dir", tmp_path / "one", "--devices", 1)
    assert alone.returncode == 0, alone.stderr
    first, second = train_together(tmp_path / "two", (0, 0), words)
    assert first[1] == second[1] == 0, (first, second)
    assert checkpoint_of(tmp_path / "one") == checkpoint_of(tmp_path / "two")


def test_processes_with_other_settings_are_named(tmp_path):
    for (_, stderr), code in train_together(tmp_path / "run", seeds=(0, 1)):
        assert code == 2
        assert "process 1 was started with other settings" in stderr
    assert not (tmp_path / "run").exists()


def test_a_wrong_address_is_one_clear_message():
    done = symla("train", "bandits", *SMALL, "--distributed", "--coordinator", "nonsense")
    assert done.returncode == 2
    assert "--process-id" in done.stderr
    assert "Traceback" not in done.stderr


UNDER_SLURM = """
from symla.runtime.machine import MachineOptions, is_writer, prepare_jax
prepare_jax(MachineOptions(devices=1, distributed=True))
import jax
from symla.runtime.devices import gather, own_devices
print(jax.process_index(), jax.process_count(), len(own_devices()), is_writer(),
      gather(jax.process_index()).ravel().tolist())
"""


def job_of_a_free_port():
    """The coordinator listens at 61440 + the job's number modulo 4096."""
    for job in range(1000, 5096):
        with socket.socket() as free:
            try:
                free.bind(("localhost", 61440 + job % 4096))
            except OSError:
                continue
            return job


def test_under_slurm_processes_find_each_other():
    """`--distributed` alone: SLURM says who they are and where the first one is."""
    job = {
        "SLURM_JOB_ID": str(job_of_a_free_port()),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_NTASKS": "2",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UNDER_SLURM],
            env={**os.environ, **job, "SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for i in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=300) for process in processes]
    # Gloo, by which they talk, prints lines of its own, before these or after them.
    assert "0 2 1 True [0, 1]" in said[0][0].splitlines(), said
    assert "1 2 1 False [0, 1]" in said[1][0].splitlines(), said
