"""What every outer loop promises, over every one that is registered."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.outer import OUTER_LOOPS, PolicyGradient
from symla.outer.policy_gradient import Lesson
from symla.runtime.devices import replicate
from symla.store import describe, rebuild

pytestmark = pytest.mark.parametrize("name", OUTER_LOOPS)


def quadratic(params):
    return -jnp.sum((params["x"] - 1.0) ** 2) - jnp.sum((params["y"] + 0.5) ** 2)


def tried(loop, candidates):
    """As `train` does it: returns for all, and lessons for a loop that learns from gradients."""
    returns = jax.vmap(quadratic)(candidates.params)
    if isinstance(loop, PolicyGradient):
        gradient = jax.vmap(jax.grad(quadratic))(candidates.params)
        candidates = candidates._replace(extra=Lesson(gradient, returns, jnp.ones_like(returns)))
    return candidates, returns


def start():
    return {"x": jnp.zeros((2, 3)), "y": jnp.zeros(4)}


def test_climbs_a_quadratic_and_compiles_once(name, key):
    loop = OUTER_LOOPS[name](learning_rate=0.02)

    @jax.jit
    def generation(state, key):
        candidates = loop.ask(key, state)
        return loop.tell(state, *tried(loop, candidates))

    state = replicate(loop.init(start()))  # as the host loop does
    for k in jax.random.split(key, 200):
        state = generation(state, k)
    assert quadratic(loop.params(state)) > 0.02 * quadratic(start())
    assert generation._cache_size() == 1


def test_keeps_structure_shapes_and_types(name, key):
    loop = OUTER_LOOPS[name]()
    state = loop.init(start())
    candidates = loop.ask(key, state)
    population = jax.tree.leaves(candidates.params)[0].shape[0]
    assert population % candidates.group.size == 0
    candidates, _ = tried(loop, candidates)
    after = loop.tell(state, candidates, jnp.arange(float(population)))
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)
    assert jax.tree.map(jnp.shape, loop.params(after)) == jax.tree.map(jnp.shape, start())


def test_the_same_key_asks_the_same(name, key):
    loop = OUTER_LOOPS[name]()
    state = loop.init(start())
    jax.tree.map(np.testing.assert_array_equal, loop.ask(key, state), loop.ask(key, state))


def test_is_its_own_configuration(name):
    loop = OUTER_LOOPS[name]()
    assert rebuild(describe(loop, OUTER_LOOPS), OUTER_LOOPS, Path("here")) == loop
    assert hash(loop) == hash(OUTER_LOOPS[name]())
