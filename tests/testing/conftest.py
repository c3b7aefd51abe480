"""As in a program of one's own: no shapes are checked, and jax promotes types and ranks."""

import jax
import jaxtyping
import pytest


@pytest.fixture(autouse=True)
def as_in_a_program_of_ones_own():
    jaxtyping.config.update("jaxtyping_disable", True)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
    jaxtyping.config.update("jaxtyping_disable", False)
