"""Tiny meta-trainings whose environments are on the host, to be run by `trainer.child`."""

import os
from functools import cache
from pathlib import Path

import jax

from symla.algorithms import SymLA
from symla.core.optimisers import Optimiser
from symla.lifetimes.resolve import make
from symla.outer import EvolutionStrategies, PolicyGradient
from symla.runtime.machine import MachineOptions, prepare_jax
from symla.store import CheckpointSchedule, RunFolder
from symla.training.generation import Training
from symla.training.loop import train_rule
from tests.faults.trainer import Operations

FROZEN_LAKE = "gymnasium:FrozenLake-v1"  # slippery: what is answered depends on seeds
SIMULATORS = "gymnasium:InvertedPendulum-v5", "gymnasium:LunarLanderContinuous-v3"
LEARNER = SymLA(hidden_size=4, message_size=2, micro_ticks=1)
LIVES = PolicyGradient(2, Optimiser(0.01), lifetime=24)


@cache
def training(name):
    """`evolution-strategies`, or lives that go on in some environments."""
    if name == "evolution-strategies":
        return Training(LEARNER, (make(FROZEN_LAKE),), EvolutionStrategies(4), 1, 8, 0)
    return Training(LEARNER, tuple(map(make, name.split())), LIVES, 2, 8, 0)


def probe(rule):
    return {"score": -float(sum(x.sum() for x in jax.tree.leaves(rule.params)))}


def advance(folder, generations, die_at=None, name="evolution-strategies"):
    """As `trainer.advance`."""
    prepare_jax(MachineOptions(1))
    mortal = Operations(die_at)
    os.fsync, os.replace = mortal.around(os.fsync), mortal.around(os.replace)
    run = RunFolder(Path(folder), schedule=CheckpointSchedule(60.0, 1))
    train_rule(training(name), generations, run, {}, probe=probe, probe_every=1)
