"""The literal formulation computes the same as SymLA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import SymLA
from symla.algorithms.base import LearningAlgorithm
from symla.bench.literal import LiteralSymLA
from symla.core.types import Discrete, Percept, Spec


@pytest.mark.parametrize(("A", "B", "N"), [(1, 2, 16), (4, 3, 5)])
def test_it_equals_symla_over_a_lifetime(key, A, B, N):
    ours, literal, spec = SymLA(N, backend="plain"), LiteralSymLA(N), Spec(A, Discrete(B))
    params = jax.tree.map(lambda x: 1.5 * x, ours.init_params(key, spec))  # far from linear
    state, literal_state = (rule.init_state(params, key, spec) for rule in (ours, literal))
    update, literal_update = jax.jit(ours.update), jax.jit(literal.update)
    for t in range(8):
        keys = jax.random.split(jax.random.fold_in(key, t), 4)
        percept = Percept(
            jax.random.normal(keys[0], (A,)),
            jax.nn.one_hot(jax.random.randint(keys[1], (), 0, B), B),
            jax.random.normal(keys[2]),
            jax.random.bernoulli(keys[3]),
            jnp.zeros((), bool),
            jnp.zeros(A),
        )
        policy, state = update(params, state, percept)
        literal_policy, literal_state = literal_update(params, literal_state, percept)
        np.testing.assert_allclose(policy.logits, literal_policy.logits, atol=1e-5)
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5),
            state.layers[0],
            literal_state,
        )


def test_it_is_a_learning_algorithm_with_the_same_meta_parameters(key):
    literal, spec = LiteralSymLA(8), Spec(2, Discrete(3))
    assert isinstance(literal, LearningAlgorithm)
    same = SymLA(8).init_params(key, spec)
    jax.tree.map(np.testing.assert_array_equal, literal.init_params(key, spec), same)
