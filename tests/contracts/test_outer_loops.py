"""The contract of an outer loop, tested for each that is registered."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.optimisers import Optimiser
from symla.outer import OUTER_LOOPS, LifetimePPO, PolicyGradient, Teacher, ThroughUpdates
from symla.outer.base import Evidence, OuterState
from symla.outer.lifetime_gradients import Gradients
from symla.outer.lifetime_ppo import Updated
from symla.outer.returns import Returns
from symla.outer.through_critic import Improvement, ThroughCritic
from symla.outer.through_updates import Taught
from symla.runtime.devices import replicate
from symla.store import describe, rebuild
from symla.testing import check_outer_loop
from symla.training.generation import Training
from tests.probes.algorithms import LearnsLogits, Logits
from tests.probes.environments import Corridor

SMALL = {"through-critic": {"population": 4, "youth": 0}}  # agents count from their first step

pytestmark = pytest.mark.parametrize("name", OUTER_LOOPS)


def quadratic(params):
    return -jnp.sum((params["x"] - 1.0) ** 2) - jnp.sum((params["y"] + 0.5) ** 2)


def evidence_of(loop, candidates):
    """What `evidence` would give if the quadratic were what lifetimes return."""
    returns = jax.vmap(quadratic)(candidates.params)
    if isinstance(loop, ThroughCritic):
        down = jax.vmap(jax.grad(lambda params: -quadratic(params)))(candidates.params)
        counts, state = jnp.ones_like(returns, bool), candidates.extra
        stepped = loop._step(state.params, state.optimizer, (down, counts), jnp.ones(()))
        return Improvement(returns, OuterState(*stepped, state.generation + 1))
    if not isinstance(loop, PolicyGradient | LifetimePPO | Teacher | ThroughUpdates):
        return Returns(returns)
    gradient = jax.vmap(jax.grad(quadratic))(candidates.params)
    if isinstance(loop, LifetimePPO):
        return Updated(returns, loop.step(candidates.extra, gradient))
    if isinstance(loop, ThroughUpdates):
        return Taught(returns, gradient)
    return Gradients(returns, gradient, returns, jnp.ones_like(returns), jnp.zeros((), jnp.int32))


def start():
    return {"x": jnp.zeros((2, 3)), "y": jnp.zeros(4)}


def test_climbs_a_quadratic_and_compiles_once(name, key):
    loop = OUTER_LOOPS[name](optimiser=Optimiser(0.02))

    @jax.jit
    def generation(state, key):
        candidates = loop.ask(key, state)
        return loop.tell(state, candidates, evidence_of(loop, candidates))

    state = replicate(loop.init(start()))  # as the host loop does
    for k in jax.random.split(key, 200):
        state = generation(state, k)
    assert quadratic(loop.params(state)) > 0.02 * quadratic(start())
    assert generation._cache_size() == 1


def test_evidence_of_lifetimes_raises_their_returns(name, key):
    """Each move right pays 1 in a corridor of two cells: the loop finds that from `evidence`."""
    if name == "through-critic":
        pytest.skip("it learns from critics: `check_outer_loop` trains one")
    loop = OUTER_LOOPS[name](population=16, optimiser=Optimiser(0.1))
    through_updates = isinstance(loop, ThroughUpdates)
    algorithm, length = (LearnsLogits(), 10) if through_updates else (Logits(), 5)
    training = Training(algorithm, (Corridor(cells=2),), loop, lifetimes=4, length=length, seed=0)

    @jax.jit
    def generation(state, key):
        ask_key, lifetimes_key = jax.random.split(key)
        candidates = loop.ask(ask_key, state)
        evidence, _ = loop.evidence(training, 0, candidates, (), lifetimes_key)
        assert isinstance(evidence, Evidence)
        return loop.tell(state, candidates, evidence), evidence.returns

    state = replicate(loop.init(jnp.zeros(2)))
    means = []
    for k in jax.random.split(key, 40):
        state, returns = generation(state, k)
        assert returns.shape == (16,)
        means.append(float(returns.mean()))
    assert means[0] < 3.5  # 2.5 by chance
    assert np.mean(means[-5:]) > 4.5


def test_keeps_its_contract(name):
    check_outer_loop(OUTER_LOOPS[name](**SMALL.get(name, {})))


def test_is_its_own_configuration(name):
    loop = OUTER_LOOPS[name]()
    assert rebuild(describe(loop, OUTER_LOOPS), OUTER_LOOPS, Path("here")) == loop
    assert hash(loop) == hash(OUTER_LOOPS[name]())
