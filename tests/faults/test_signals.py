"""SIGTERM and Ctrl-C, once and twice, through the real command line and where nothing moves."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from symla.runtime import signals
from symla.runtime.signals import interruptible, stop_signal
from symla.store import RunFolder
from tests.cli.in_process import typed
from tests.cli.test_main import command
from tests.faults.trainer import WORDS, begun, child, create, hang, wait_for

LONG = ["--generations", "100000"]


def start(folder):
    return subprocess.Popen(
        command("train", "bandits", *WORDS, *LONG, "--run-dir", folder),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def stop_and_look(folder, number, wait):
    process, started = start(folder), begun(folder)
    wait_for(lambda: started() or process.poll() is not None)
    time.sleep(wait)
    process.send_signal(number)
    sent = time.monotonic()
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert time.monotonic() - sent < 30
    assert f"continue with: symla resume {folder}" in stdout
    assert "Traceback" not in stderr
    run = RunFolder(folder)
    reached = run.newest_checkpoint().manifest["generation"]
    assert [row["generation"] for row in run.metrics()] == list(range(1, reached + 1))


@pytest.mark.endurance
@pytest.mark.parametrize("number", range(20))
def test_20_signals_save_and_print_the_line_that_resumes(tmp_path, number):
    which = (signal.SIGINT, signal.SIGTERM)[number % 2]
    stop_and_look(tmp_path / "run", which, random.Random(number).uniform(0, 1.5))


def test_a_signal_before_the_first_generation(tmp_path):
    """While what is to be beaten is measured, or compiled."""
    folder = tmp_path / "run"
    process = start(folder)
    wait_for((folder / "config.json").exists)
    process.terminate()
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "symla resume" in stdout + stderr
    assert typed("resume", folder, "--generations", 1).returncode == 0


WHEN_IT_IS_THERE = """
import os, signal, sys
from symla.cli.main import run_command
from symla.store import RunFolder
create = RunFolder.create
def struck(self, config):
    create(self, config)
    os.kill(os.getpid(), signal.SIGTERM)
RunFolder.create = struck
sys.exit(run_command(["train", "bandits", "--run-dir", sys.argv[1]]))
"""


def test_a_signal_as_soon_as_there_is_a_run(tmp_path):
    run = str(tmp_path / "run")
    command = [sys.executable, "-c", WHEN_IT_IS_THERE, run]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 130, done.stderr
    assert f"continue with: symla resume {run}" in done.stdout


def test_a_second_signal_leaves_at_once(tmp_path):
    """Also where the first cannot be answered, because the device does not come back."""
    create(tmp_path / "run")
    process = child(hang, tmp_path / "run")
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists())  # about to begin
    time.sleep(1)
    os.kill(process.pid, signal.SIGTERM)
    process.join(2)
    assert process.exitcode is None
    os.kill(process.pid, signal.SIGINT)
    process.join(5)
    assert process.exitcode == 130


def hang_impatiently(folder):
    signals.GRACE_SECONDS = 0.5
    hang(folder)


def test_a_generation_that_does_not_end_is_left(tmp_path):
    create(tmp_path / "run")
    process = child(hang_impatiently, tmp_path / "run")
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists())
    time.sleep(1)
    os.kill(process.pid, signal.SIGTERM)
    process.join(10)
    assert process.exitcode == 130


def test_an_interrupt_that_is_dropped_still_stops():
    """As Python drops one that is raised in a callback of the garbage collector."""
    with interruptible():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with stop_signal() as stopped:
            assert stopped.is_set()
    with interruptible(), stop_signal() as stopped:
        assert not stopped.is_set()


def stuck(folder):
    """Compiled code that does not return to Python, as a lifetime of an hour."""
    with interruptible(0.5):
        (folder / "begun").touch()
        for _ in range(600):
            with suppress(KeyboardInterrupt):
                time.sleep(1)


@pytest.mark.parametrize("times", [1, 2])
def test_what_does_not_return_is_left(tmp_path, times):
    process = child(stuck, tmp_path)
    wait_for((tmp_path / "begun").exists)
    for _ in range(times):
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
    process.join(10)
    assert process.exitcode == 130
