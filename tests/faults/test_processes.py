"""Processes that train together: all name one that is missing, disagrees, was killed or hangs."""

import os
import signal
import socket
import subprocess
import time

import pytest

from symla.store import RunFolder
from tests.cli.in_process import typed
from tests.cli.test_main import command, symla
from tests.faults.trainer import WORDS, begun, contents, wait_for
from tests.training.test_distributed import checkpoint_of

LONG = ["--generations", "100000"]


def free_port():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


def start(number, count, port, *arguments):
    return subprocess.Popen(
        command(*arguments, "--devices", 1, "--distributed", "--coordinator", f"localhost:{port}",
                "--processes", count, "--process-id", number),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def train(folder):
    return "train", "bandits", *WORDS, *LONG, "--run-dir", folder


def end_with(words, *processes, code=2):
    for process in processes:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode in (code if isinstance(code, tuple) else (code,)), stderr
        assert words in " ".join(stderr.split())
        assert "Traceback" not in stderr


@pytest.mark.slow
def test_one_that_is_missing_is_named(tmp_path):
    first = start(0, 3, port := free_port(), *train(tmp_path / "run"))
    second = start(1, 3, port, *train(tmp_path / "run"))
    end_with("process 2 of 3 did not connect to", first, second)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_first_is_missing(tmp_path):
    end_with("process 0 did not answer at", start(1, 2, free_port(), *train(tmp_path / "run")))


@pytest.mark.parametrize("told", [1, 3])
def test_two_that_disagree_on_their_number(tmp_path, told):
    port = free_port()
    processes = [start(i, n, port, *train(tmp_path / "run")) for i, n in ((0, told), (1, 2))]
    end_with("start all of them with the same number", *processes)


@pytest.mark.slow
def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("localhost", 0)) as other:
        port = other.getsockname()[1]
        end_with("Address already in use", start(0, 2, port, *train(tmp_path / "run")))
        end_with("is not process 0 of a run", start(1, 2, port, *train(tmp_path / "run")))
    assert contents(tmp_path) == {}


def signal_one(folder, which, number):
    """Two processes train and `which` gets a signal. Returns the seconds until the other ended."""
    started, port = begun(folder), free_port()
    pair = [start(i, 2, port, *train(folder)) for i in (0, 1)]
    wait_for(lambda: started() or any(p.poll() is not None for p in pair))
    os.kill(pair[which].pid, number)
    sent = time.monotonic()
    # Without process 0 jax may be the one that ends the other: by an abort.
    codes = (2, 1, -signal.SIGABRT) if which == 0 else 2
    end_with(f"symla: process {which} ", pair[1 - which], code=codes)
    seconds = time.monotonic() - sent
    pair[which].kill()
    pair[which].communicate()
    assert pair[which].returncode != 0
    return seconds


@pytest.mark.slow
def test_one_that_is_killed_is_named_and_resume_goes_on_bit_for_bit(tmp_path):
    folder = tmp_path / "run"
    assert signal_one(folder, 1, signal.SIGKILL) < 15
    reached = len(RunFolder(folder).metrics()) + 3
    port = free_port()
    more = "resume", folder, "--generations", reached
    pair = [start(i, 2, port, *more) for i in (0, 1)]
    for process in pair:
        _, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
    whole = "train", "bandits", *WORDS, "--generations", reached, "--run-dir", tmp_path / "whole"
    assert typed(*whole).returncode == 0
    assert checkpoint_of(folder) == checkpoint_of(tmp_path / "whole")


@pytest.mark.endurance
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_one_that_is_killed_or_stuck_is_named_within_15_seconds(tmp_path, which, number):
    assert signal_one(tmp_path / "run", which, number) < 15


@pytest.mark.slow
def test_a_signal_to_one_stops_all_with_everything_saved(tmp_path):
    folder = tmp_path / "run"
    started, port = begun(folder), free_port()
    pair = [start(i, 2, port, *train(folder)) for i in (0, 1)]
    wait_for(lambda: started() or any(p.poll() is not None for p in pair))
    pair[1].terminate()
    end_with("", *pair, code=130)
    run = RunFolder(folder)
    assert run.newest_checkpoint().manifest["generation"] == len(run.metrics())


def test_wrong_numbers_and_addresses():
    for arguments, words in (
        (("--coordinator", "nonsense", "--processes", 2, "--process-id", 0), "HOST:PORT"),
        (("--coordinator", "localhost:1", "--processes", 2, "--process-id", 2), "process-id must"),
        (("--coordinator", "localhost:1", "--processes", 0, "--process-id", 0), "processes must"),
    ):
        done = symla("train", "bandits", "--distributed", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
