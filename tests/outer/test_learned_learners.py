"""What is meta-trained for a minute teaches fresh agents more than what was not: MAML, LPG, EPG."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import EPG, LPG, MAML
from symla.core.optimisers import Optimiser
from symla.environments import DelayedChain, ObjectGrids, PointNavigation
from symla.lifetimes.learning import lived_whole
from symla.outer import EvolutionStrategies, ThroughUpdates
from symla.runtime.devices import replicate
from symla.training.generation import Training, generation, init

pytestmark = pytest.mark.slow
SEEDS = jax.random.split(jax.random.key(7), 5)  # of fresh agents, which no training has


def trained(training, generations):
    """Meta-parameters before and after."""
    state, key = replicate(init(training)), replicate(jax.random.key(1))
    before = jax.device_get(state.outer.params)
    step = jax.jit(partial(generation, training))
    for number in range(generations):
        state, _ = step(key, state, replicate(jnp.int32(number)))
    return before, jax.device_get(state.outer.params)


def earned(algorithm, world, params, stretches):
    """By fresh agents, in each stretch: [seeds, stretches]."""

    @jax.jit
    def live(params):
        return jax.vmap(lambda key: lived_whole(algorithm, world, params, key, stretches))(SEEDS)

    return np.asarray(live(params))


def test_maml_finds_weights_from_which_one_step_goes_far():
    world = PointNavigation(episode_length=20)
    algorithm = MAML(units=(32,), interval=20, workers=20)
    outer = ThroughUpdates(20, Optimiser(3e-3, clip=1.0))
    _, params = trained(Training(algorithm, (world,), outer, 1, 40, seed=0), 100)
    before, after = earned(algorithm, world, params, 2).T
    assert (after > before).all()
    assert after.mean() > 0.75 * before.mean()  # both are negative


def test_a_frozen_lpg_rule_teaches_in_worlds_that_it_never_saw():
    algorithm = LPG(workers=32)
    outer = ThroughUpdates(8, Optimiser(1e-3, clip=1.0), lifetime=1200)
    training = Training(algorithm, (ObjectGrids(4),), outer, 1, 120, seed=0)
    untrained, rule = trained(training, 60)
    for world in (ObjectGrids(5, ("sparse",)), DelayedChain(10)):
        other, ours = (earned(algorithm, world, x, 60).sum(axis=1) for x in (untrained, rule))
        difference = ours - other
        assert difference.mean() > 2.8 * difference.std(ddof=1) / np.sqrt(5)  # Student's t


def test_an_evolved_loss_teaches_more_than_a_random_one():
    world = PointNavigation(episode_length=20, limit=2.0)
    algorithm = EPG(units=(32,), interval=20, workers=8, history=40, optimizer=Optimiser(0.01))
    outer = EvolutionStrategies(32, 0.1, Optimiser(0.02), counted=0.2)
    random, loss = trained(Training(algorithm, (world,), outer, 2, 600, seed=0), 100)
    other, ours = (earned(algorithm, world, x, 30)[:, -6:].mean(axis=1) for x in (random, loss))
    difference = ours - other
    assert difference.mean() > 2.8 * difference.std(ddof=1) / np.sqrt(5)
