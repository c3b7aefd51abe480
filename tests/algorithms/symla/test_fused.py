"""The fused kernel computes what plain JAX computes, under every transformation, for every size."""

from dataclasses import dataclass
from functools import partial

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import SymLA
from symla.algorithms.symla import fused, plain
from symla.algorithms.symla.fused_libraries import load_gradient_kernel
from symla.algorithms.symla.layer import Layer
from symla.core import compiler
from symla.core.types import Discrete, Spec, Timestep
from symla.environments import make
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import new_percept
from symla.outer.evolution_strategies import EvolutionStrategies
from tests.core.compiling import run_python

try:
    load_gradient_kernel()
except compiler.CompilerError as error:
    pytest.skip(f"no fused kernel here: {error}", allow_module_level=True)

TOLERANCE = 2e-6  # a tick


def draw(shape, A, B, N, M, *, size=1.0) -> tuple:
    """The arguments of one update, with leading axes `shape`; from NumPy, not compiled."""
    random = np.random.default_rng(0)
    weights = jax.eval_shape(
        lambda: SymLA(N, M).init_params(jax.random.key(0), Spec(A, Discrete(B)))
    )
    others = [(A, B, N), (A, B, N), (B, M), (A, M), (A, M + 1), (B, M + 1), (2,)]

    def normal(*sizes):
        return random.normal(size=sizes).astype(np.float32)

    weights = jax.tree.map(lambda x: 0.3 * normal(*shape, *x.shape), weights)
    hidden, cell, forward, backward, *inputs = (size * normal(*shape, *x) for x in others)
    return weights, Layer(hidden, cell, forward, backward), *inputs


def implementations(ticks=2, aggregation="mean"):
    """The plain one and the fused one."""
    return [
        jax.jit(partial(f.update_layer, micro_ticks=ticks, aggregation=aggregation))
        for f in (plain, fused)
    ]


def assert_close(expected, actual, ticks=2, factor=1.0):
    for x, y in zip(jax.tree.leaves(expected), jax.tree.leaves(actual), strict=True):
        np.testing.assert_allclose(x, y, rtol=TOLERANCE * ticks, atol=TOLERANCE * ticks * factor)


def assert_identical(expected, actual):
    jax.tree.map(np.testing.assert_array_equal, expected, actual)


sizes = {
    "A": st.integers(1, 7),
    "B": st.integers(1, 5),
    "N": st.sampled_from([1, 5, 16, 17, 64]),
    "M": st.sampled_from([1, 8, 19]),
}


@hypothesis.given(**sizes, ticks=st.integers(1, 3), aggregation=st.sampled_from(["mean", "sum"]))
@hypothesis.example(A=1, B=1, N=1, M=1, ticks=1, aggregation="sum")
@hypothesis.example(A=75, B=4, N=16, M=8, ticks=2, aggregation="mean")
@hypothesis.example(A=1, B=2, N=64, M=8, ticks=2, aggregation="mean")
@hypothesis.example(A=4, B=2, N=64, M=8, ticks=1, aggregation="mean")  # copies the state
@hypothesis.example(A=4, B=2, N=64, M=8, ticks=3, aggregation="mean")  # updates the state in place
def test_equals_plain_jax(A, B, N, M, ticks, aggregation):
    arguments = draw((), A, B, N, M)
    expected, actual = (f(*arguments) for f in implementations(ticks, aggregation))
    assert_close(expected, actual, ticks, max(A, B) if aggregation == "sum" else 1)


@pytest.mark.parametrize("size", [30.0, 1e4])
def test_saturates_like_plain_jax(size):
    arguments = draw((), 4, 2, 16, 8, size=size)
    for f, g in zip(*(f(*arguments) for f in implementations()), strict=True):
        np.testing.assert_allclose(f, g, rtol=1e-4, atol=1e-4)


def test_zero_stays_zero():
    zeros = jax.tree.map(np.zeros_like, draw((), 3, 2, 16, 8))
    assert_identical(zeros[1], implementations()[1](*zeros))


@pytest.mark.parametrize("batched", ["weights", "state", "inputs", "state and inputs"])
def test_under_vmap(batched):
    one, many = draw((), 3, 2, 16, 8), draw((6,), 3, 2, 16, 8)
    axes = ["weights" in batched, "state" in batched, *["inputs" in batched] * 3]
    arguments = [many[i] if axis else one[i] for i, axis in enumerate(axes)]
    axes = tuple(0 if axis else None for axis in axes)
    expected, actual = (jax.jit(jax.vmap(f, axes))(*arguments) for f in implementations())
    assert_close(expected, actual)


def population(update, weights, state, below, above, shared, length=3):
    """Candidates x lifetimes, a scan over steps: as training runs it."""

    def live(weights, state, below, above, shared):
        def step(layer, _):
            layer = update(weights, layer, below, above, shared)
            return layer, layer.forward

        return jax.lax.scan(step, state, None, length=length)

    lifetimes = jax.vmap(live, (None, 0, 0, 0, 0))
    return jax.vmap(lifetimes)(weights, state, below, above, shared)


def draw_population(P, E, *rest):
    weights, *others = draw((P, E), *rest)
    return jax.tree.map(lambda x: x[:, 0], weights), *others


def test_under_jit_of_nested_vmap_and_scan():
    arguments = draw_population(3, 5, 4, 2, 16, 8)
    expected, actual = (jax.jit(partial(population, f))(*arguments) for f in implementations())
    assert_close(expected, actual, ticks=6)


def test_under_map():
    arguments = draw((4,), 4, 2, 16, 8)
    expected, actual = (jax.lax.map(lambda x, f=f: f(*x), arguments) for f in implementations())
    assert_close(expected, actual)


@pytest.mark.parametrize("A, B, N", [(4, 2, 16), (3, 3, 16), (1, 2, 64), (5, 3, 5), (1, 1, 17)])
def test_the_batch_does_not_change_a_bit(A, B, N):
    arguments = draw_population(4, 13, A, B, N, 8)
    run = jax.jit(partial(population, implementations()[1]))
    whole = jax.device_get(run(*arguments))
    for p, e in [(1, 1), (3, 5)]:  # the first p candidates, the last e lifetimes
        part = (
            jax.tree.map(lambda x, p=p: x[:p], arguments[0]),
            *jax.tree.map(lambda x, p=p, e=e: x[:p, -e:], arguments[1:]),
        )
        assert_identical(jax.tree.map(lambda x, p=p, e=e: x[:p, -e:], whole), run(*part))
    single = implementations()[1]
    last = jax.tree.map(lambda x: x[-1, -1], arguments[1:])
    weights = jax.tree.map(lambda x: x[-1], arguments[0])
    for t in range(3):
        layer = single(weights, *last)
        last = (layer, *last[1:])
        np.testing.assert_array_equal(layer.forward, whole[1][-1, -1, t])


def test_devices_do_not_change_a_bit():
    """In a process of its own, because the number of devices is fixed at the start."""
    run_python(
        """
        import jax
        jax.config.update("jax_num_cpu_devices", 2)
        from functools import partial
        from jax.sharding import PartitionSpec
        from tests.algorithms.symla.test_fused import *

        arguments = draw_population(4, 5, 4, 2, 16, 8)
        run = partial(population, implementations()[1])
        mesh = jax.make_mesh((2,), ("devices",))
        arguments = jax.device_put(arguments, jax.NamedSharding(mesh, PartitionSpec("devices")))
        split = partial(jax.shard_map, mesh=mesh, in_specs=PartitionSpec("devices"),
                        out_specs=PartitionSpec("devices"))
        expected = jax.jit(run)(*jax.device_get(arguments))
        assert_identical(expected, jax.jit(split(run))(*arguments))
        """
    )


def test_nan_stays_nan():
    """A NaN in any input gives NaN in the same results as in plain JAX, and in no others."""
    arguments = draw((), 4, 2, 16, 8)
    leaves, structure = jax.tree.flatten(arguments)
    plain_update, fused_update = implementations()
    for i, leaf in enumerate(leaves):
        for payload in (0x7FC00000, 0xFFC00000, 0x7FC00001):
            nan = np.array(payload, np.uint32).view(np.float32)
            broken = leaf.copy()
            broken[(0,) * leaf.ndim] = nan
            changed = structure.unflatten([*leaves[:i], broken, *leaves[i + 1 :]])
            assert_identical(
                *(jax.tree.map(np.isnan, f(*changed)) for f in (plain_update, fused_update))
            )


def test_its_derivative_is_that_of_plain_jax():
    arguments = draw((3,), 4, 2, 16, 8)

    def loss(update, weights, *rest):
        return sum(jnp.sum(jnp.square(x)) for x in jax.vmap(update)(weights, *rest))

    expected, actual = (jax.jit(jax.grad(partial(loss, f)))(*arguments) for f in implementations())
    assert_close(expected, actual, factor=10)


def test_actions_are_the_same_until_one_is_within_rounding(key):
    """500 steps, each implementation with its own actions as inputs."""
    spec = Spec(1, Discrete(2))
    weights = jax.tree.map(lambda x: 2.0 * x, SymLA().init_params(key, spec))

    def run(algorithm):
        def step(carry, key):
            state, action, reward = carry
            first = new_percept(jnp.ones(1), spec)
            percept = first._replace(action=action, reward=reward)
            policy, state = algorithm.update(weights, state, percept)
            choice = policy.sample(key)
            margin = jnp.abs(jax.nn.softmax(policy.logits)[0] - jax.random.uniform(key))
            reward = (jax.random.uniform(jax.random.fold_in(key, 1)) < 0.7) == (choice == 1)
            action = (jnp.arange(2) == choice).astype(jnp.float32)
            return (state, action, reward.astype(jnp.float32)), (choice, margin)

        start = algorithm.init_state(weights, key, spec), jnp.zeros(2), jnp.zeros(())
        return jax.lax.scan(step, start, jax.random.split(key, 500))[1]

    (expected, margin), (actual, _) = (jax.jit(run, static_argnums=0)(a) for a in algorithms())
    (different,) = np.nonzero(expected != actual)
    assert 0.1 < expected.mean() < 0.9
    assert different.size == 0 or margin[different[0]] < 1e-4


def algorithms():
    return [SymLA(backend=backend) for backend in ("plain", "fused")]


@dataclass(frozen=True)
class Signs:
    """A task of 4 x 2: which of two actions is right shows in the sign of one observation."""

    spec = Spec(4, Discrete(2))

    def sample_task(self, key):
        return jax.random.randint(key, (), 0, 4)

    def reset(self, key, task):
        observation = jax.random.normal(key, (4,))
        return observation, observation

    def step(self, key, task, state, action):
        reward = ((state[task] > 0) == (action == 1)).astype(jnp.float32)
        observation = jax.random.normal(key, (4,))
        never = jnp.zeros((), bool)
        return Timestep(observation, observation, reward, never, never)


@pytest.mark.parametrize("environment", [make("bandit-uniform-independent"), Signs()], ids=str)
def test_the_gradient_of_evolution_strategies_is_the_same(key, environment):
    search = EvolutionStrategies(population=32)
    candidates = search.ask(key, search.init(SymLA().init_params(key, environment.spec)))

    def gradient(algorithm):
        def fitness(params, key):
            return lifetime(algorithm, environment, params, key, 50, record=None)[0]

        groups = jnp.tile(candidates.group, 2)
        keys = jax.vmap(lambda g: jax.random.split(jax.random.fold_in(key, g), 4))(groups)
        returns = jax.vmap(jax.vmap(fitness, (None, 0)))(candidates.params, keys)
        leaves = jax.tree.leaves(search.gradient(candidates, returns.mean(axis=1)))
        return jnp.concatenate([leaf.ravel() for leaf in leaves])

    expected, actual = (jax.jit(gradient, static_argnums=0)(a) for a in algorithms())
    cosine = expected @ actual / np.linalg.norm(expected) / np.linalg.norm(actual)
    assert cosine > 0.9999
