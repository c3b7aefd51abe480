"""MetaRNN refuses other sizes than its own, with the reason."""

import jax
import pytest

from symla.algorithms import MetaRNN
from symla.core.errors import SizeError
from symla.core.types import Discrete, Spec


def test_other_sizes_are_refused_with_the_reason_and_the_way_out(key):
    algorithm = MetaRNN(hidden_size=8)
    params = algorithm.init_params(key, Spec(1, Discrete(2)))
    with pytest.raises(SizeError, match=r"5 inputs .* 2 outputs, .* needs 8 and 5 .*use SymLA"):
        algorithm.init_state(params, key, Spec(1, Discrete(5)))


def test_number_of_meta_parameters(key):
    params = MetaRNN(hidden_size=64).init_params(key, Spec(1, Discrete(2)))
    lstm, readout = (5 + 64) * 4 * 64 + 4 * 64, 64 * 2 + 2
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == lstm + readout
