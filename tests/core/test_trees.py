"""Small functions on pytrees."""

import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.trees import all_finite, global_norm


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_found(value):
    tree = {"a": jnp.ones((2, 3)), "count": jnp.int32(5), "b": (jnp.zeros(4),)}
    assert all_finite(tree)
    assert not all_finite({**tree, "b": (jnp.zeros(4).at[3].set(value),)})


def test_the_norm_is_over_all_leaves():
    assert global_norm({"a": jnp.array([[3.0]]), "b": jnp.array([0.0, 4.0])}) == pytest.approx(5.0)


def test_a_tree_without_numbers_that_could_be_wrong_is_finite():
    assert all_finite(())
    assert all_finite({"count": jnp.int32(3)})
