"""Solutions are NumPy's, and no program of ours calls LAPACK."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symla
from symla.core.linear_algebra import orthogonal, solve
from symla.core.networks import init_orthogonal_linear
from symla.environments import RandomTasks

SOURCE = Path(symla.__file__).parent


@pytest.mark.parametrize("shape", [(1,), (3,), (16,), (5, 2), (8, 16)])
def test_it_solves_as_numpy_does(shape):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, shape[0], shape[0])).astype(np.float32)
    A += 2 * np.eye(shape[0], dtype=np.float32)[rng.permutation(shape[0])]  # pivots are needed
    b = rng.normal(size=(20, *shape)).astype(np.float32)
    found = jax.vmap(solve)(jnp.asarray(A), jnp.asarray(b))
    exact = np.linalg.solve(A.astype(np.float64), b.reshape(20, shape[0], -1))
    error = np.abs(found.reshape(exact.shape) - exact)
    assert np.median(error) < 1e-5
    np.testing.assert_allclose(
        np.einsum("tij,tjk->tik", A, found.reshape(exact.shape)),
        b.reshape(exact.shape),
        atol=1e-3,
    )


def test_a_zero_on_the_diagonal_is_no_matter():
    found = solve(jnp.array([[0.0, 2.0], [4.0, 0.0]]), jnp.array([2.0, 8.0]))
    np.testing.assert_allclose(found, [2.0, 1.0])


def test_a_singular_matrix_has_no_solution():
    assert not np.isfinite(solve(jnp.ones((2, 2)), jnp.array([1.0, 2.0]))).all()


@pytest.mark.parametrize("n", [1, 2, 4])
def test_an_orthogonal_basis_is_that_of_qr(n):
    A = np.random.default_rng(n).normal(size=(50, n, n)).astype(np.float32)
    found = np.asarray(jax.vmap(orthogonal)(jnp.asarray(A)))
    turn, triangle = np.linalg.qr(A.astype(np.float64))
    signs = np.sign(np.einsum("tii->ti", triangle))
    np.testing.assert_allclose(np.einsum("tij,tik->tjk", found, found), [np.eye(n)] * 50, atol=1e-5)
    error = np.abs(found - turn * signs[:, None])
    assert np.median(error) < 1e-5


@pytest.mark.parametrize(("inputs", "outputs"), [(5, 3), (3, 5), (64, 64)])
def test_first_weights_are_those_of_jax(inputs, outputs):
    """... whose initialiser calls LAPACK."""
    key = jax.random.key(3)
    ours = init_orthogonal_linear(key, inputs, outputs, 1.5).weight
    theirs = jax.nn.initializers.orthogonal(1.5)(key, (inputs, outputs), jnp.float32)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_nothing_of_ours_calls_lapack():
    """Batched, on several devices, it can wait for itself for ever."""
    calls = re.compile(
        r"jnp\.linalg\.(solve|inv|qr|cholesky|eigh?|svd|lstsq|det|slogdet|pinv)\b|jax\.scipy\.linalg"
        r"|orthogonal\(key|jax\.random\.orthogonal|initializers\.orthogonal|multivariate_normal"
    )
    found = [str(path) for path in SOURCE.rglob("*.py") if calls.search(path.read_text())]
    assert found == []
    world = RandomTasks()
    program = jax.jit(world.sample_task).lower(jax.random.key(0)).as_text()
    assert "lapack" not in program
