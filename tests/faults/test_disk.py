"""A disk that is full or read-only: real, small file systems. And one folder for two processes."""

import os
import signal
import socket
import subprocess

import pytest

from symla.core.errors import LockedError, StorageError
from symla.store import RunFolder
from tests.cli.in_process import typed
from tests.cli.test_main import symla
from tests.faults.trainer import (
    ENDLESS,
    advance,
    begun,
    child,
    contents,
    create,
    digest,
    finish,
    wait_for,
)


@pytest.fixture
def mount(tmp_path):
    """A function that mounts a file system of so many KiB; skips where that is not permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mounted(size):
        options = ["-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)]
        done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting a small disk is not permitted here: {done.stderr.strip()}")
        return folder

    yield mounted
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


@pytest.mark.slow
def test_a_full_disk_costs_nothing_that_was_there(tmp_path, mount):
    disk = mount(400)
    folder = create(disk / "run")
    finish(folder, 3)
    before = digest(folder)
    filler = disk / "other"
    with pytest.raises(OSError, match="No space"), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    files = contents(folder)
    done = symla("resume", folder, "--generations", 9)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "bytes are needed, and" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(folder) == files
    filler.unlink()
    assert digest(folder) == before
    whole = create(tmp_path / "whole")
    assert finish(folder, 6) == finish(whole, 6)


@pytest.mark.slow
def test_a_disk_that_fills_during_training_keeps_its_checkpoints(mount):
    disk = mount(120)
    folder = create(disk / "run")
    process = child(advance, folder, ENDLESS, every=1)  # rows fill it, sooner or later
    (disk / "other").write_bytes(bytes(40_000))
    process.join(300)
    assert process.exitcode == 1
    newest = RunFolder(folder).newest_checkpoint().manifest["generation"]
    assert newest >= 1
    rows = RunFolder(folder).metrics()
    assert newest - 1 <= rows[-1]["generation"] <= newest + 1
    assert not list(folder.rglob(".*.tmp"))


def test_a_read_only_folder_is_named(mount):
    disk = mount(400)
    folder = create(disk / "run")
    finish(folder, 2)
    remounted = ["mount", "-o", "remount,ro", str(disk)]
    subprocess.run(remounted, check=True, capture_output=True)
    for arguments in (("resume", folder), ("train", "bandits", "--run-dir", disk / "new")):
        done = typed(*arguments)
        assert done.returncode == 2
        assert "Read-only file system" in done.stderr
        assert str(disk) in done.stderr
        assert "Traceback" not in done.stderr
    with pytest.raises(StorageError, match="make that folder writable"):
        RunFolder(folder).append_metrics([{"generation": 3}])


@pytest.mark.slow
def test_two_processes_on_one_run(tmp_path):
    """The second is told whose it is; a lock whose process was killed is taken over."""
    folder = create(tmp_path / "run")
    started = begun(folder)
    process = child(advance, folder, ENDLESS)
    wait_for(started)
    os.kill(process.pid, signal.SIGSTOP)  # it holds still while we look
    files = contents(folder)
    refused = typed("resume", folder)
    assert refused.returncode == 2
    assert f"in use by process {process.pid} on {socket.gethostname()}" in refused.stderr
    assert "Traceback" not in refused.stderr
    with pytest.raises(LockedError, match=str(process.pid)), RunFolder(folder).locked():
        pass
    assert contents(folder) == files
    process.kill()
    process.join(60)
    done = symla("resume", folder, "--generations", 1)
    assert done.returncode == 0, done.stderr
    assert f"stale lock of process {process.pid}" in done.stderr
    assert (folder / "lock").read_bytes() == b""


def test_a_lock_of_another_host_is_not_taken_over(tmp_path):
    folder = create(tmp_path / "run")
    (folder / "lock").write_text('{"host": "elsewhere", "process": 7, "since": "noon"}')
    with (
        pytest.raises(LockedError, match=r"process 7 on elsewhere.*delete .*lock"),
        RunFolder(folder).locked(),
    ):
        pass
    (folder / "lock").write_text("junk")
    with RunFolder(folder).locked(), RunFolder(folder).locked():  # what is ours we may lock again
        pass
