"""The plain formulation of MetaGenRL's population trains its objective."""

import jax
import numpy as np
import pytest

from symla.bench.populations import plain_generation
from tests.outer.test_through_critic import TRAINING


@pytest.mark.slow
def test_each_generation_moves_the_objective():
    generation = plain_generation(TRAINING)
    first, second = (jax.tree.leaves(generation()) for _ in range(2))
    assert all(np.isfinite(x).all() for x in second)
    assert any((x != y).any() for x, y in zip(first, second, strict=True))
