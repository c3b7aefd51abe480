"""Memory shared with a worker, and messages that are waited for awake."""

import tempfile
from multiprocessing import Pipe

import numpy as np
import pytest

from symla.bridge import exchange
from symla.bridge.exchange import CallRecord, Exchange, Messages, Sizes
from symla.bridge.pool import Pool
from symla.lifetimes.resolve import make


@pytest.mark.parametrize("continuous", [False, True])
def test_both_sides_see_the_same(continuous):
    sizes = Sizes(3, 2, continuous, None, False)
    with tempfile.TemporaryFile() as shared:
        shared.truncate(CallRecord.SIZE)
        record = CallRecord(shared.fileno())
        record.begin(4)
        ours, theirs = (Exchange(shared.fileno(), 5, sizes) for _ in range(2))
        for number, array in enumerate((ours.actions, ours.seeds, *ours.stepped)):
            array[...] = number % 2 if array.dtype == bool else number
        for number, array in enumerate((theirs.actions, theirs.seeds, *theirs.stepped)):
            assert (array == (number % 2 if array.dtype == bool else number)).all()
        assert theirs.actions.shape == ((5, 2) if continuous else (5,))
        assert (record.calls, record.index) == (1, 4)


def test_what_a_step_returned_stays_in_the_next_one():
    with Pool(make("gymnasium:CartPole-v1"), [0, 1]) as pool:
        pool.reset()
        first = pool.step(np.array([0, 1]), np.array([2, 3]))
        kept = [array.copy() for array in first]
        pool.step(np.array([0, 1]), np.array([2, 3]))
    for array, copy in zip(first, kept):
        np.testing.assert_array_equal(array, copy)


def test_a_process_that_loses_its_core_sleeps_for_messages(monkeypatch):
    ours, theirs = Pipe()
    messages = Messages(ours, spin=True)
    theirs.send_bytes(b"a")
    assert messages.receive() == b"a"
    asked = []
    clock = iter([0.0, 1.0])  # a second between two questions
    monkeypatch.setattr(exchange.time, "perf_counter", lambda: asked.append(1) or next(clock))
    assert not messages.wait(0.0)
    assert len(asked) == 2
    theirs.send_bytes(b"b")
    assert messages.receive() == b"b"  # the clock is not asked again: it has no more to say
    theirs.close()
    with pytest.raises(EOFError):
        messages.receive()
