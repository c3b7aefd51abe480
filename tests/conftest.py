"""Strict JAX, and every shape in a signature checked while the tests run."""

import warnings

from jaxtyping import install_import_hook

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of third parties, while they are imported
    install_import_hook("symla", "beartype.beartype")
    import jax

import hypothesis
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile("symla", deadline=None, derandomize=True, max_examples=15)
hypothesis.settings.load_profile("symla")


@pytest.fixture
def key():
    return jax.random.key(0)
