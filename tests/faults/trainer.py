"""A tiny meta-training in a process of its own, which dies where it is told to.

`forkserver` imports this once and forks it for each child, so that a hundred kills take minutes.
No child shares anything but the disk with the test.
"""

import hashlib
import json
import multiprocessing
import os
import signal
import time
from dataclasses import asdict
from pathlib import Path

from symla.core import streams
from symla.experiments import Bandits
from symla.experiments.bandit_training import SearchSettings
from symla.experiments.training_options import LearnerSettings
from symla.runtime.machine import MachineOptions, prepare_jax
from symla.store import CheckpointSchedule, RunFolder, load_checkpoint
from symla.training import loop as train

WORDS = [
    *("--outer", "evolution-strategies"),  # which compiles in a fraction of the time
    *("--generations", "4", "--population", "4", "--lifetimes", "2", "--length", "5"),
    *("--hidden-size", "4", "--devices", "1", "--test-lifetimes", "2", "--test-arms", "3"),
]
ENDLESS = 1_000_000


def experiment(generations=ENDLESS, **search):
    return Bandits(
        length=5,
        learner=LearnerSettings("meta-rnn", hidden_size=4),
        search=SearchSettings(
            "evolution-strategies", generations, population=4, lifetimes=2, **search
        ),
        test_arms=(3,),
        test_lifetimes=2,
    )


def create(folder, generations=ENDLESS):
    """A run folder as `symla train` makes it."""
    settings = asdict(experiment(generations))
    config = {"experiment": "bandits", "seed": 0, "settings": settings}
    RunFolder(folder).create({**config, "streams": streams.VERSION})
    return folder


def probe(rule):
    """Cheap, and with every column that a real one has."""
    regret = float(sum(x.sum() for x in rule.params[0]))
    return {"score": -regret, "regret": regret, "regret_ci95": 0.0}


def advance(folder, generations, die_at=None, seconds=60.0, every=1, watch=lambda progress: None):
    """Train on in `folder`; SIGKILL comes before operation `die_at` on the disk, if it is given."""
    prepare_jax(MachineOptions(1))
    mortal = Operations(die_at)
    os.fsync, os.replace = mortal.around(os.fsync), mortal.around(os.replace)
    bandits = experiment()
    training = bandits.training(0)
    train.train_rule(
        training,
        generations,
        RunFolder(Path(folder), schedule=CheckpointSchedule(seconds, every)),
        bandits.manifest(training, "bandit-arms-2"),
        probe=probe,
        probe_every=1,
        watch=watch,
    )


def hang(folder):
    """The device does not come back, as in a generation of an hour."""
    train.advance = lambda *_: time.sleep(600)
    advance(folder, 5)


class Operations:
    """Counts what is done to the disk, and ends the process before the one it is told."""

    def __init__(self, die_at):
        self.left = die_at

    def around(self, operation):
        def counted(*arguments):
            if self.left is not None:
                if self.left == 0:
                    self.tear(*arguments)
                    os.kill(os.getpid(), signal.SIGKILL)
                self.left -= 1
            return operation(*arguments)

        return counted

    @staticmethod
    def tear(what, *_):
        """What was written but not yet flushed is lost in part."""
        if isinstance(what, int):
            size = os.fstat(what).st_size
            if not os.path.isdir(f"/proc/self/fd/{what}"):
                os.ftruncate(what, max(0, size - 5))


def child(function, *arguments, **options):
    """A process of its own, started."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.trainer"])
    process = context.Process(target=function, args=arguments, kwargs=options)
    process.start()
    return process


def finish(folder, generations, advance=advance):
    """Train to the end of so many. Returns the digest of all that is left."""
    process = child(advance, folder, generations)
    process.join(300)
    assert process.exitcode == 0
    return digest(folder)


def wait_for(holds, seconds=300):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)


def begun(folder):
    """A function that says whether a generation has been written since now."""
    path = Path(folder) / "metrics.jsonl"
    before = path.stat().st_mtime_ns if path.exists() else 0
    return lambda: path.exists() and path.stat().st_size and path.stat().st_mtime_ns > before


def digest(folder):
    """Of the newest checkpoint (all arrays: parameters, moments, count), the best and the rows."""
    run = RunFolder(Path(folder))
    newest = run.newest_checkpoint()
    best = load_checkpoint(run.best_path(newest.manifest["best"]["generation"]))
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]
    known = [newest.manifest["generation"], newest.manifest["best"], best.manifest["generation"]]
    total = hashlib.sha256(json.dumps([rows, known], sort_keys=True).encode())
    for arrays in (newest.arrays, best.arrays):
        for name in sorted(arrays):
            total.update(name.encode() + arrays[name].tobytes())
    return total.hexdigest()


def contents(folder):
    """Every file but the lock, to see that nothing changed."""
    files = (p for p in Path(folder).rglob("*") if p.is_file() and p.name != "lock")
    return {p: p.read_bytes() for p in files}
