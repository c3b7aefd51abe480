"""The plain formulations of populations train what the agents learn by."""

import jax
import numpy as np
import pytest

from symla.algorithms import LPG
from symla.bench.populations import plain_generation, plain_lpg_generation
from symla.environments import make
from symla.outer import ThroughUpdates
from symla.training.generation import Training
from tests.outer.test_through_critic import TRAINING

LEARNED = LPG(hidden_size=4, predictions=3, interval=4, workers=2)
GRIDS = (make("random-grids,size=3"),)
LIVING = Training(LEARNED, GRIDS, ThroughUpdates(2, lifetime=36), 1, 12, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plain", "training"), [(plain_generation, TRAINING), (plain_lpg_generation, LIVING)]
)
def test_each_generation_moves_what_is_learned(plain, training):
    generation = plain(training)
    first, second = (jax.tree.leaves(generation()) for _ in range(2))
    assert all(np.isfinite(x).all() for x in second)
    assert any((x != y).any() for x, y in zip(first, second, strict=True))
