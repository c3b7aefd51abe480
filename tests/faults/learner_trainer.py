"""Tiny tests of what learns from rollouts, kept in run folders, to be run by `trainer.child`."""

import os
from pathlib import Path

from symla.algorithms.td3 import TD3
from symla.evaluation.learning_test import LearningTest
from symla.experiments.kept_test import run_kept_test
from symla.lifetimes.resolve import make
from symla.rules.rule import Rule
from symla.store import CheckpointSchedule, RunFolder
from tests.faults.host_trainer import prepare
from tests.faults.trainer import Operations

TINY = TD3(units=(4,), batch=4, interval=5, random_steps=5, capacity=40)
WORLDS = {
    "in-jax": "pendulum",
    "mujoco": "gymnasium:InvertedPendulum-v5",
    "box2d": "gymnasium:LunarLanderContinuous-v3",
}


def learning_test(name, stretches):
    """Of so many stretches of 5 steps, evaluated every 20."""
    return LearningTest(TINY, make(WORLDS[name]), 2, 5 * stretches, 20, episodes=2)


def advance(folder, generations, die_at=None, name="in-jax"):
    """As `trainer.advance`: a stretch stands for a generation, and each is saved."""
    prepare(devices=1)
    mortal = Operations(die_at)
    os.fsync, os.replace = mortal.around(os.fsync), mortal.around(os.replace)
    run = RunFolder(Path(folder), schedule=CheckpointSchedule(0.0))
    test = learning_test(name, generations)
    run_kept_test(test, Rule(TINY, ()), 0, run, {}, lambda done, reached: None)
