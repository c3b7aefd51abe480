"""What learns from rollouts is killed between operations on the disk, replay buffer, simulator and
all, goes on, and ends in the same bits; learners that diverge; states that do not fit."""

import random
import signal
import subprocess
import sys
from functools import partial

import jax
import numpy as np
import pytest

from symla.core.errors import DivergenceError, SettingError
from symla.core.optimisers import Optimiser
from symla.core.streams import Stream
from symla.evaluation import learning_lives
from symla.evaluation.learning_lives import begin, live
from symla.evaluation.learning_test import LearningTest
from symla.lifetimes.resolve import make
from symla.store import RunFolder
from symla.training.generation import TrainingState
from symla.training.saver import restore
from tests.faults import learner_trainer
from tests.faults.learner_trainer import TINY, WORLDS
from tests.faults.trainer import child, create

STRETCHES = 12


def killed_at(folder, point, name):
    """A process that goes on where the last one was killed, until it is killed itself."""
    advance = partial(learner_trainer.advance, name=name)
    process = child(advance, folder, STRETCHES, die_at=point)
    process.join(300)
    return process.exitcode


def end_of(folder, name):
    """All arrays of the newest checkpoint, replay buffers with their transitions, and the rows."""
    run = RunFolder(folder)
    test = learner_trainer.learning_test(name, STRETCHES)

    def fresh():
        state = begin(test, (), 0, Stream.TESTING)
        return TrainingState(state.reached, (state.lives,))

    restored = restore(run, fresh)
    assert restored.done == 5 * STRETCHES
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]
    return jax.device_get(restored.state), rows


def compare(tmp_path, name, points):
    killed, whole = create(tmp_path / "killed"), create(tmp_path / "whole")
    codes = [killed_at(killed, point, name) for point in points]
    assert set(codes) <= {-signal.SIGKILL, 0}
    assert -signal.SIGKILL in codes
    assert killed_at(killed, None, name) == killed_at(whole, None, name) == 0
    (state, rows), (expected, rows_whole) = (end_of(folder, name) for folder in (killed, whole))
    jax.tree.map(np.testing.assert_array_equal, state, expected)
    assert rows == rows_whole
    assert [row["generation"] for row in rows] == [20, 40, 60]


@pytest.mark.slow
def test_killed_in_jax(tmp_path):
    compare(tmp_path, "in-jax", (3, 9, 14))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mujoco", "box2d"])
def test_killed_in_a_simulator(tmp_path, name):
    compare(tmp_path, name, (11, 20))


@pytest.mark.endurance
@pytest.mark.parametrize("name", WORLDS)
def test_50_kills_of_learners(tmp_path, name):
    for part in range(5):
        points = [random.Random(part).randrange(60) for _ in range(10)]
        compare(tmp_path / str(part), name, points)


DEVICES = """
import hashlib
import jax
import numpy as np
jax.config.update("jax_num_cpu_devices", 4)
from symla.core.streams import Stream
from symla.evaluation.learning_lives import begin, live
from symla.evaluation.learning_test import LearningTest
from symla.lifetimes.resolve import make
from symla.runtime.devices import use_devices
from tests.faults.learner_trainer import TINY
test = LearningTest(TINY, make("pendulum"), 5, 40, 20, episodes=2)
for count in (1, 4):
    with use_devices(jax.devices()[:count]):
        end, _ = live(test, (), begin(test, (), 0, Stream.TESTING), 0, lambda *_: None)
    leaves = jax.tree.leaves(jax.device_get((end.reached, end.lives)))
    print(hashlib.sha256(b"".join(np.asarray(x).tobytes() for x in leaves)).hexdigest())
"""


@pytest.mark.slow
def test_the_number_of_devices_changes_no_bit():
    """Five lifetimes: on one device, and on two of four, padded to six."""
    ran = subprocess.run(
        [sys.executable, "-c", DEVICES], capture_output=True, text=True, check=True
    )
    one, several = ran.stdout.split()
    assert one == several


@pytest.mark.slow
@pytest.mark.parametrize("world", ["pendulum", "gymnasium:Pendulum-v1"])
def test_a_learner_that_diverges_is_named(world):
    wild = TINY.__class__(**{**vars(TINY), "critic_optimizer": Optimiser(1e30)})
    test = LearningTest(wild, make(world), 2, 60, 0)
    with pytest.raises(DivergenceError, match=r"TD3.* diverged in lifetime 1 by step \d+.*Lower"):
        live(test, (), begin(test, (), 0, Stream.TESTING), 0, lambda *_: None)


def test_buffers_that_do_not_fit_are_refused_before_anything_is_lived(monkeypatch):
    monkeypatch.setattr(learning_lives, "available_memory", lambda: 10_000)
    test = LearningTest(TINY, make("pendulum"), 50, 60, 0)
    with pytest.raises(SettingError, match=r"need 0\.0 GB.*replay buffers.*capacity=100000"):
        begin(test, (), 0, Stream.TESTING)
