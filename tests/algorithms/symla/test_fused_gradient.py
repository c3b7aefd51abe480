"""The gradient of the fused kernel is that of plain JAX, for every size, however it is batched."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from symla.algorithms import SymLA
from symla.algorithms.symla import fused, plain
from symla.algorithms.symla.fused_libraries import load_gradient_kernel
from symla.core import compiler
from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.environments import IndependentBandit
from symla.outer import Candidates, PolicyGradient
from symla.training.generation import Training
from tests.algorithms.symla.test_fused import (
    assert_identical,
    draw,
    draw_population,
    implementations,
)
from tests.core.compiling import run_python

try:
    load_gradient_kernel()
except compiler.CompilerError as error:
    pytest.skip(f"no fused kernel here: {error}", allow_module_level=True)


def assert_close(expected, actual, tolerance=1e-5):
    """Relative to the largest number of each array."""
    for x, y in zip(jax.tree.leaves(expected), jax.tree.leaves(actual), strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=tolerance * np.abs(x).max())


def pull_back(update, arguments):
    """The gradient of a sum of all results, each with a weight of its own."""
    results, back = jax.vjp(update, *arguments)
    random = np.random.default_rng(1)
    weights = (random.normal(size=x.shape).astype(np.float32) for x in jax.tree.leaves(results))
    return back(jax.tree.unflatten(jax.tree.structure(results), weights))


def gradients(arguments, ticks=2, aggregation="mean", batch=lambda f: f):
    """In plain JAX and fused, of all arguments."""
    updates = (
        batch(partial(f.update_layer, micro_ticks=ticks, aggregation=aggregation))
        for f in (plain, fused)
    )
    return [jax.jit(partial(pull_back, update))(arguments) for update in updates]


@pytest.mark.parametrize(
    "A, B, N, M, ticks, aggregation",
    [
        (9, 4, 16, 8, 2, "mean"),
        (4, 3, 16, 8, 1, "sum"),
        (1, 2, 64, 8, 3, "mean"),
        (3, 2, 5, 3, 2, "sum"),
        pytest.param(5, 3, 17, 19, 3, "mean", marks=pytest.mark.slow),
        pytest.param(1, 1, 1, 1, 1, "mean", marks=pytest.mark.slow),
        pytest.param(40, 3, 16, 2, 3, "sum", marks=pytest.mark.slow),
    ],
)
def test_equals_plain_jax(A, B, N, M, ticks, aggregation):
    assert_close(*gradients(draw((), A, B, N, M), ticks, aggregation))


def over_lifetimes(update):
    return jax.vmap(update, (None, 0, 0, 0, 0))


@pytest.mark.parametrize("A, B, N", [(4, 3, 16), pytest.param(3, 2, 5, marks=pytest.mark.slow)])
def test_of_candidates_and_their_lifetimes(A, B, N):
    """The gradient of a candidate's weights is the sum over its lifetimes."""
    arguments = draw_population(3, 11, A, B, N, 8)
    expected, actual = gradients(arguments, batch=lambda f: jax.vmap(over_lifetimes(f)))
    assert actual[0].below.shape == arguments[0].below.shape
    assert_close(expected, actual)


@pytest.mark.slow
def test_of_lifetimes_outside_of_candidates():
    weights, *others = draw_population(3, 4, 4, 2, 16, 8)
    others = jax.tree.map(lambda x: x.swapaxes(0, 1), others)
    assert_close(*gradients((weights, *others), batch=lambda f: over_lifetimes(jax.vmap(f))))


@pytest.mark.slow
@pytest.mark.parametrize("batched", ["weights", "state", "below and shared"])
def test_of_what_is_the_same_in_the_whole_batch(batched):
    one, many = draw((), 3, 2, 16, 8), draw((6,), 3, 2, 16, 8)
    there = [
        "weights" in batched,
        "state" in batched,
        "below" in batched,
        False,
        "shared" in batched,
    ]
    arguments = [many[i] if batch else one[i] for i, batch in enumerate(there)]
    axes = tuple(0 if batch else None for batch in there)
    assert_close(*gradients(arguments, batch=lambda f: jax.vmap(f, axes)))


def test_of_part_of_the_weights():
    """One matrix differs in the batch, the others do not."""
    one, many = draw((), 3, 2, 16, 8), draw((4,), 3, 2, 16, 8)
    weights = one[0]._replace(recurrent=many[0].recurrent)
    axes = jax.tree.map(lambda _: None, one[0])._replace(recurrent=0)
    assert_close(*gradients((weights, *many[1:]), batch=lambda f: jax.vmap(f, (axes, 0, 0, 0, 0))))


def test_one_of_the_weights_for_each_lifetime():
    """Not summed: `vmap` is outside of the gradient."""
    weights, *others = draw((5,), 4, 2, 16, 8)
    weights = jax.tree.map(lambda x: x[0], weights)

    def each(update):
        return over_lifetimes(lambda *x: pull_back(update, x))(weights, *others)

    expected, actual = (jax.jit(partial(each, f))() for f in implementations())
    assert actual[0].below.shape == (5, *weights.below.shape)
    assert_close(expected, actual)
    alone = jax.jit(partial(pull_back, implementations()[1]))
    for e in (0, 4):  # nor does the batch change a bit
        whole = jax.tree.map(lambda x, e=e: x[e], actual)
        assert_identical(whole, alone((weights, *jax.tree.map(lambda x, e=e: x[e], others))))


def test_other_candidates_do_not_change_a_bit():
    arguments = draw_population(4, 13, 4, 2, 16, 8)
    _, update = implementations()

    def run(arguments):
        new, back = jax.vjp(jax.vmap(over_lifetimes(update)), *arguments)
        return back(jax.tree.map(jnp.sin, new))

    run = jax.jit(run)
    part = jax.tree.map(lambda x: x[1:2], arguments)
    assert_identical(jax.tree.map(lambda x: x[1:2], run(arguments)), run(part))


def policy_gradients(algorithm, *, population=1, length=12):
    """The evidence of the policy gradient, from whole lifetimes."""
    environment = IndependentBandit(3)
    outer = PolicyGradient(population, Optimiser(clip=0.0))
    training = Training(algorithm, (environment,), outer, lifetimes=5, length=length, seed=0)
    params = algorithm.init_params(jax.random.key(0), environment.spec)
    params = jax.tree.map(
        lambda x: jnp.stack([x * (1 + 0.1 * i) for i in range(population)]), params
    )
    start = outer.init(jax.tree.map(lambda x: x[0], params)).baseline
    candidates = Candidates(params, jnp.arange(population), start)
    found = jax.jit(lambda c, k: outer.evidence(training, 0, c, (), k)[0])
    return found(candidates, jax.random.key(1))


@pytest.mark.parametrize(
    "widths, aggregation", [((2,), "mean"), pytest.param((), "sum", marks=pytest.mark.slow)]
)
def test_through_lifetimes(widths, aggregation):
    settings = {"widths": widths, "aggregation": aggregation}
    assert SymLA(**settings).differentiable().backend == "auto"
    expected, actual = (
        policy_gradients(SymLA(backend=backend, **settings)) for backend in ("plain", "auto")
    )
    np.testing.assert_array_equal(expected.returns, actual.returns)  # the same actions
    # Of all parts together: in one alone, such as a bias, the terms of a policy gradient nearly
    # cancel, and plain JAX itself moves by 1e-5 of it when weights move by half of their last bit.
    whole = (ravel_pytree(x.gradient)[0] for x in (expected, actual))
    assert_close(*whole)


@pytest.mark.slow
def test_the_number_of_devices_does_not_change_a_bit():
    """Four candidates on one, two and four of them, and three on two, where one has a copy more."""
    code = """
        import hashlib, jax
        jax.config.update("jax_num_cpu_devices", {})
        from tests.algorithms.symla.test_fused_gradient import *
        found = policy_gradients(SymLA(widths=(2,)), population=4)
        leaves = jax.tree.leaves(jax.device_get(found))
        print(len(jax.devices()), hashlib.sha256(b"".join(x.tobytes() for x in leaves)).hexdigest())
    """
    found = [run_python(code.format(count))[0].split() for count in (1, 2, 3, 4)]
    assert [count for count, _ in found] == ["1", "2", "3", "4"]
    assert len({digest for _, digest in found}) == 1


def test_nan_stays_nan():
    """What is not finite in one lifetime is so in the gradient, and in no other candidate's."""
    arguments = draw_population(2, 3, 4, 2, 16, 8)
    arguments[2][0, 1, 0, 0] = np.nan
    _, found = gradients(arguments, batch=lambda f: jax.vmap(over_lifetimes(f)))
    for leaf in jax.tree.leaves((found[0].recurrent, found[0].below, found[0].bias)):
        assert np.isnan(leaf[0]).any()
        assert np.isfinite(leaf[1]).all()


def test_forwards_it_is_that_of_plain_jax():
    arguments = draw((3,), 4, 2, 16, 8)
    weights, *others = arguments

    def run(update):
        def value(weights):
            return over_lifetimes(update)(weights, *others)

        one = jax.tree.map(lambda x: x[0], weights)
        return jax.jvp(value, (one,), (jax.tree.map(jnp.cos, one),))

    expected, actual = (jax.jit(partial(run, f))() for f in implementations())
    assert_close(expected, actual)


def test_second_derivatives():
    """Forwards twice they are those of plain JAX; through the kernel's way back there are none."""
    weights, *others = draw((), 2, 2, 5, 2)

    def value(update, weights):
        return jnp.sum(update(weights, *others).forward ** 2)

    def slope(update, weights):
        return jax.jvp(partial(value, update), (weights,), (weights,))[1]

    def curvature(update):
        return jax.jvp(partial(slope, update), (weights,), (weights,))[1]

    expected, actual = (jax.jit(partial(curvature, f))() for f in implementations())
    assert_close(expected, actual)
    with pytest.raises(SettingError, match="backend='plain'"):
        jax.jvp(jax.grad(partial(value, implementations()[1])), (weights,), (weights,))
