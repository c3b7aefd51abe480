"""Fast keys draw exactly the bits of JAX's own, under every transformation."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core import compiler
from symla.core import random_numbers as random
from symla.core.random_numbers import fast_key

try:
    random.implementation()
except compiler.CompilerError as error:
    pytest.skip(f"no compiler here: {error}", allow_module_level=True)

DRAWS = {
    "uniform": lambda key: jax.random.uniform(key, (3, 5)),
    "one": lambda key: jax.random.uniform(key),
    "normal": lambda key: jax.random.normal(key, (1001,)),
    "bytes": lambda key: jax.random.bits(key, (7,), "uint8"),
    "permutation": lambda key: jax.random.permutation(key, 9),
    "nothing": lambda key: jax.random.uniform(key, (0,)),
    "fold_in": lambda key: jax.random.key_data(jax.random.fold_in(key, 2**32 - 1)),
    "split": lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
    "under vmap": lambda key: jax.vmap(
        lambda k: jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(k, i), (3,)))(
            jnp.arange(37)
        )
    )(jax.random.split(key, 6)),
    "in a scan": lambda key: jax.lax.scan(
        lambda k, i: (jax.random.fold_in(k, i), jax.random.uniform(k, (2,))), key, jnp.arange(5)
    )[1],
}


@pytest.mark.parametrize("draw", DRAWS)
@hypothesis.given(seed=st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=5)
def test_the_same_bits(draw, seed):
    key = jax.random.key(seed)
    run = jax.jit(DRAWS[draw])
    np.testing.assert_array_equal(run(key), run(random.to_kernel_key(key)))


def test_keys_of_another_kind_stay_as_they_are():
    key = jax.random.key(0, impl="rbg")
    assert random.to_kernel_key(key) is key
    fast = random.to_kernel_key(jax.random.key(0))
    assert random.to_kernel_key(fast) is fast


def test_without_the_kernel_keys_stay_as_they_are(monkeypatch):
    key = jax.random.key(0)
    monkeypatch.setenv("SYMLA_KERNEL", "plain")
    assert fast_key(key) is key
    monkeypatch.setenv("SYMLA_KERNEL", "fused")
    assert fast_key(key).dtype != key.dtype
