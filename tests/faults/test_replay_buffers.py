"""Replay buffers on disk: killed before each operation, damaged, and on a disk that is full."""

import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symla.core.errors import CheckpointError, StorageError
from symla.store import Buffer, RunFolder, load_checkpoint, read_segments
from symla.store.files import remove_leftovers
from symla.store.segments import from_listed, listed
from tests.faults.test_damage import JSON, cut, flip, sign, zero

CAPACITY = 6
GENERATIONS = 7


class Agents:
    """What two agents' buffer holds after each generation; the second one is born anew in the 4th.

    Transition i of a life is the number 100 * life + i.
    """

    def __init__(self, generation):
        lives, added = [1, 2 if generation < 4 else 3], [3 * generation] * 2
        if generation >= 4:
            added[1] = 2 * (generation - 4)
        self.lives, self.added = np.array(lives), np.array(added)

    def rows(self, begin, end):
        numbers = [100 * n + np.arange(i, j) for n, i, j in zip(self.lives, begin, end)]
        return {"rows/x": np.concatenate(numbers).astype(np.float32)}

    def buffers(self):
        identity = np.stack([self.lives, self.lives], axis=1).astype(np.uint32)
        return {"replay": Buffer(identity, self.added, CAPACITY, self.rows)}

    def whole(self):
        """The arrays of the buffer as they must come back."""
        found = np.zeros((2, CAPACITY), np.float32)
        for agent, (life, added) in enumerate(zip(self.lives, self.added)):
            for number in range(max(0, added - CAPACITY), added):
                found[agent, number % CAPACITY] = 100 * life + number
        return found


def created(path):
    run = RunFolder(path)
    run.create({"experiment": "bandits", "seed": 0, "settings": {}})
    return run


def restored(run):
    """As a process does that begins: the generation it goes on from, the segments, the contents."""
    if not any(run.checkpoints()):
        run.go_back_to(0)
        return 0, (), np.zeros((2, CAPACITY), np.float32)
    generation, segments, found = contents(run, run.newest_checkpoint(warn=False))
    run.go_back_to(generation)
    return generation, segments, found


def contents(run, checkpoint):
    generation = checkpoint.manifest["generation"]
    rows = {"replay": {"rows/x": np.zeros((2, CAPACITY), np.float32)}}
    buffers = Agents(generation).buffers()
    segments = read_segments(checkpoint.path.parent, checkpoint.segments, buffers, rows)
    return generation, segments, rows["replay"]["rows/x"]


def train(run, until=GENERATIONS):
    """From wherever it is; each checkpoint that it finds must be exact."""
    begun, known, found = restored(run)
    np.testing.assert_array_equal(found, Agents(begun).whole())
    for generation in range(begun + 1, until + 1):
        arrays = {"x": np.arange(3) + generation}
        buffers = Agents(generation).buffers()
        known = run.save(generation, arrays, {}, keep=2, buffers=buffers, known=known)
    return begun


def files(run):
    """By name; but not what was set aside because it was damaged, or its manifest did not come."""
    found = [x for x in run.path.rglob("*") if x.is_file() and not x.name.startswith("damaged-")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


class Death(BaseException):
    """Nothing that follows it in the process touches the disk."""


def killed(run, monkeypatch, point):
    """Whether it was killed before operation `point` on the disk, what was not flushed torn."""
    done = 0

    def around(operation):
        def counted(what, *arguments, **options):
            nonlocal done
            done += 1
            if done == point and isinstance(what, int) and stat.S_ISREG(os.fstat(what).st_mode):
                os.ftruncate(what, os.fstat(what).st_size // 2)
            if done >= point:
                raise Death
            return operation(what, *arguments, **options)

        return counted

    real = os.fsync, os.replace, Path.unlink
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", around(real[0]))
        patched.setattr(os, "replace", around(real[1]))
        patched.setattr(Path, "unlink", around(real[2]))
        try:
            train(run)
        except Death:
            return True
    return False


def test_a_kill_before_any_operation_on_the_disk_loses_nothing(tmp_path, monkeypatch):
    """Whatever is there afterwards is exact, goes on, and ends in the same files."""
    monkeypatch.setattr(os, "fsync", lambda file: None)  # the machine lives on
    train(whole := created(tmp_path / "whole"), 4)
    shutil.copytree(whole.path, tmp_path / "4")
    train(whole, GENERATIONS + 1)
    expected, kills, reached = files(whole), 0, 0
    while killed(run := copied(tmp_path / "4", kills), monkeypatch, kills + 1):
        before, reached = reached, train(run, GENERATIONS + 1)
        assert reached >= before
        assert files(run) == expected
        kills += 1
    assert kills > 40
    assert reached == GENERATIONS


def copied(path, number):
    return RunFolder(shutil.copytree(path, path.with_name(f"killed-{number}")))


def test_a_chain_of_kills(tmp_path, monkeypatch):
    train(whole := created(tmp_path / "whole"))
    run, chain = created(tmp_path / "run"), np.random.default_rng(0).integers(3, 40, 12)
    deaths = [killed(run, monkeypatch, point) for point in chain]
    assert sum(deaths) > 3
    train(run)
    assert files(run) == files(whole)


def damages(path, whole):
    rng = np.random.default_rng(0)
    for how in (cut, flip, zero):
        path.write_bytes(how(whole, rng))
        yield
    path.unlink()
    yield


def test_damage_costs_the_checkpoints_that_name_the_file_and_no_others(tmp_path):
    run = created(tmp_path / "run")
    train(run, 9)
    named = {path: load_checkpoint(path).segments for path in run.checkpoints()}
    segments = sorted({segment.file for each in named.values() for segment in each})
    assert len(segments) > len(next(iter(named.values())))  # one at least is of the older alone
    for file in segments:
        path = run.path / "checkpoints" / file
        whole = path.read_bytes()
        for _ in damages(path, whole):
            for checkpoint, its in named.items():
                if file in {segment.file for segment in its}:
                    with pytest.raises(CheckpointError, match=file):
                        load_checkpoint(checkpoint)
                else:
                    generation, _, found = contents(run, load_checkpoint(checkpoint))
                    np.testing.assert_array_equal(found, Agents(generation).whole())
        path.write_bytes(whole)


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_segment(tmp_path):
    train(whole := created(tmp_path / "whole"), GENERATIONS + 1)
    train(run := created(tmp_path / "run"))
    newest = run.newest_checkpoint()
    (newest.path.parent / newest.segments[-1].file).write_bytes(b"damaged")
    assert train(run, GENERATIONS + 1) == GENERATIONS - 1
    assert files(run) == files(whole)
    assert newest.path.with_name(f"damaged-{newest.path.name}").exists()


@pytest.mark.parametrize("operation", range(1, 7))
def test_a_full_disk_costs_nothing_that_was_there(tmp_path, monkeypatch, operation):
    train(run := created(tmp_path / "run"), 5)
    _, known, before = restored(run)
    left = operation

    def fsync(file):
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    buffers = Agents(6).buffers()
    save = {"arrays": {"x": np.arange(3) + 6}, "manifest": {}, "keep": 2, "buffers": buffers}
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        with pytest.raises(StorageError, match="No space left"):
            run.save(6, **save, known=known)
    if operation < 6:  # file and folder of segment, arrays and manifest; the last is complete
        np.testing.assert_array_equal(contents(run, run.newest_checkpoint())[2], before)
    train(run)
    train(whole := created(tmp_path / "whole"))
    remove_leftovers(run.path / "checkpoints")
    assert files(run) == files(whole)


def test_many_segments_become_one(tmp_path, monkeypatch):
    monkeypatch.setattr("symla.store.segments.LIMIT", 2)
    run = created(tmp_path / "run")
    counts = []
    for generation in range(1, GENERATIONS + 1):
        train(run, generation)
        counts.append(len(run.newest_checkpoint().segments))
    assert max(counts) == 2
    assert counts[-3:] in ([1, 2, 1], [2, 1, 2])
    np.testing.assert_array_equal(restored(run)[2], Agents(GENERATIONS).whole())


def test_segments_of_another_run_are_refused(tmp_path):
    train(run := created(tmp_path / "run"))
    checkpoint = run.newest_checkpoint()
    folder, buffers = checkpoint.path.parent, Agents(GENERATIONS).buffers()

    def read(segments, buffer, shape, dtype=np.float32):
        rows = {"replay": {"rows/x": np.zeros(shape, dtype)}}
        return read_segments(folder, segments, {"replay": buffer}, rows)

    whole, shape = buffers["replay"], (2, CAPACITY)
    with pytest.raises(CheckpointError, match=r"replay-00000.*no transitions of 'replay'"):
        read(checkpoint.segments, whole, (*shape, 2))
    with pytest.raises(CheckpointError, match=r"replay-00000.*no transitions of 'replay'"):
        read(checkpoint.segments, whole, shape, np.int32)
    with pytest.raises(CheckpointError, match=r"lack transitions of 'replay'"):
        read(checkpoint.segments[1:], whole, shape)
    with pytest.raises(CheckpointError, match=r"lack transitions of 'replay'"):
        read(checkpoint.segments, whole._replace(identity=whole.identity + 1), shape)
    one = whole._replace(identity=whole.identity[:1], added=whole.added[:1])
    with pytest.raises(CheckpointError, match=r"replay-00000.*no transitions of 'replay'"):
        read(checkpoint.segments, one, (1, CAPACITY))


@given(entries=JSON | st.lists(st.fixed_dictionaries({
    "file": st.sampled_from(["", "..", "a/b", "/etc/passwd", "\0", "x" * 300]) | JSON,
    "length": JSON, "sha256": st.text(max_size=4) | JSON,
}), min_size=1, max_size=2))  # fmt: skip
def test_a_hostile_list_of_segments_is_refused_in_our_words(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("hostile") / "x.safetensors"
    sign(path, b"\x02\0\0\0\0\0\0\0{}", segments=entries)
    if entries == []:
        assert load_checkpoint(path).segments == ()
    else:
        with pytest.raises(CheckpointError, match=str(path.parent)):
            load_checkpoint(path)


def test_what_a_manifest_says_of_segments_comes_back(tmp_path):
    train(run := created(tmp_path / "run"), 2)
    segments = run.newest_checkpoint().segments
    assert from_listed(listed(segments), Path("there")) == segments
    assert [(run.path / "checkpoints" / x.file).stat().st_size for x in segments] == [
        x.length for x in segments
    ]


def test_no_segment_is_deleted_while_a_manifest_cannot_be_read(tmp_path):
    """What it names may still be wanted; the checkpoint that drops it deletes them."""
    train(run := created(tmp_path / "run"), 6)
    oldest = list(run.checkpoints())[-1]
    named = {segment.file for segment in load_checkpoint(oldest).segments}
    manifest = oldest.with_suffix(".json")
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-9])
    run.go_back_to(6)
    assert named <= files(run).keys()
    manifest.write_bytes(whole)
    np.testing.assert_array_equal(contents(run, load_checkpoint(oldest))[2], Agents(5).whole())
    manifest.write_bytes(whole[:-9])
    train(run, 8)
    train(other := created(tmp_path / "other"), 8)
    assert files(run) == files(other)
