"""SIGKILL at random moments and between all operations on the disk: nothing is lost but the
generation that was being made, and the end is the same, bit for bit."""

import random
import signal
import time

import pytest

from symla.store import RunFolder
from tests.faults.trainer import ENDLESS, advance, begun, child, create, digest, finish, wait_for

OPERATIONS = 40  # on the disk, in the first generations of a process: all kinds of them


def kill_in_chain(folder, points, advance=advance):
    """Each process goes on where the one before it was killed. None: at a random moment; "stop":
    the same, by SIGTERM."""
    random_ = random.Random(str(points))
    reached = 0
    for point in points:
        started = begun(folder)
        anywhere = point in (None, "stop")
        process = child(advance, folder, ENDLESS, die_at=None if anywhere else point)
        if anywhere:
            wait_for(started)
            time.sleep(random_.uniform(0, 0.3))
            (process.terminate if point else process.kill)()
        process.join(300)
        assert process.exitcode == (0 if point == "stop" else -signal.SIGKILL)
        if not any(RunFolder(folder).checkpoints()):
            continue
        now = RunFolder(folder).newest_checkpoint().manifest["generation"]
        assert now >= reached  # never its older checkpoints
        if anywhere:  # a checkpoint each generation: at most the one being made is lost
            rows = RunFolder(folder).metrics()
            assert now >= rows[-1]["generation"] - 1
        reached = now
    return reached


def compare_with_an_uninterrupted_run(tmp_path, points, advance=advance):
    reached = kill_in_chain(create(tmp_path / "killed"), points, advance)
    whole = create(tmp_path / "whole")
    ends = [finish(folder, reached + 2, advance) for folder in (tmp_path / "killed", whole)]
    assert ends[0] == ends[1]
    assert digest(tmp_path / "killed") == digest(whole)
    leftovers = list((tmp_path / "killed").rglob(".*.tmp"))
    assert not leftovers


@pytest.mark.parametrize(
    "points",
    [
        (3, 7, 11, 14, 18),
        pytest.param((5, 9, 20, None, None), marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path, points):
    compare_with_an_uninterrupted_run(tmp_path, points)


@pytest.mark.endurance
@pytest.mark.parametrize("part", range(4))
def test_200_kills(tmp_path, part):
    """40 points between operations and 160 random moments, in four chains."""
    points = [*range(part, OPERATIONS, 4), *[None] * 40]
    random.Random(part).shuffle(points)
    compare_with_an_uninterrupted_run(tmp_path, points)
