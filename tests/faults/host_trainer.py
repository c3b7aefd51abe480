"""Tiny meta-trainings whose environments are on the host, to be run by `trainer.child`."""

import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import jax
import numpy as np

from symla.bridge.pool import keep_pools
from symla.core.caches import cache_folder
from symla.core.optimisers import Optimiser
from symla.lifetimes.resolve import make
from symla.outer import EvolutionStrategies, PolicyGradient
from symla.runtime.devices import replicate, use_devices
from symla.runtime.machine import MachineOptions, prepare_jax
from symla.store import CheckpointSchedule, RunFolder
from symla.training.generation import Training, host_generation, init
from symla.training.loop import train_rule
from tests.faults.trainer import Operations
from tests.probes.algorithms import Remembers

FROZEN_LAKE = "gymnasium:FrozenLake-v1"  # slippery: what is answered depends on seeds
SIMULATORS = "gymnasium:InvertedPendulum-v5", "gymnasium:LunarLanderContinuous-v3"
LIVES = PolicyGradient(2, Optimiser(0.01), lifetime=24)


@cache
def training(name):
    """`evolution-strategies`, or lives that go on in some environments."""
    if name == "evolution-strategies":
        return Training(Remembers(), (make(FROZEN_LAKE),), EvolutionStrategies(4), 1, 8, 0)
    return Training(Remembers(), tuple(map(make, name.split())), LIVES, 2, 8, 0)


def probe(rule):
    return {"score": -float(sum(x.sum() for x in jax.tree.leaves(rule.params)))}


def prepare(devices):
    """Small programs are kept, too: compiling them is most of what a process does here."""
    prepare_jax(MachineOptions(devices))
    jax.config.update("jax_compilation_cache_dir", str(cache_folder("tests-host-trainer")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def advance(folder, generations, die_at=None, name="evolution-strategies"):
    """As `trainer.advance`."""
    prepare(devices=1)
    mortal = Operations(die_at)
    os.fsync, os.replace = mortal.around(os.fsync), mortal.around(os.replace)
    run = RunFolder(Path(folder), schedule=CheckpointSchedule(60.0, 1))
    train_rule(training(name), generations, run, {}, probe=probe, probe_every=1)


def count_devices(folder):
    """The same generations on one device and on two; a file has the bits of each."""
    prepare(devices=2)
    for name in ("evolution-strategies", FROZEN_LAKE):
        for count in (1, 2):

            @dataclass(frozen=True)
            class Same(Remembers):  # another one each time: none takes what the other compiled
                pass

            one = replace(training(name), algorithm=Same())
            with keep_pools(), use_devices(jax.devices()[:count]):
                state, key = replicate(init(one)), jax.random.key(1)
                for number in range(4):
                    state, metrics = host_generation(one, key, state, number)
            leaves = jax.tree.leaves(jax.device_get((state, metrics)))
            path = Path(folder) / f"{name.partition(':')[0]}-{count}"
            path.write_bytes(b"".join(np.asarray(leaf).tobytes() for leaf in leaves))
