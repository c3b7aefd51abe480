"""Strict JAX, every shape in a signature checked, and nothing compiled twice."""

import gc
import os
import warnings
from pathlib import Path

# Most of the time of the suite is compilation, of programs that run for milliseconds. With 0 it
# tests them as they are compiled for use, and takes twice as long; child processes inherit it.
if os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1") != "0":
    quick = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = f"{quick} {os.environ.get('XLA_FLAGS', '')}"

import jaxtyping
from jaxtyping import install_import_hook

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of third parties, while they are imported
    install_import_hook("symla", "beartype.beartype")
    import jax

import hypothesis
import pytest

from symla.core.caches import cache_folder

jax.config.update("jax_num_cpu_devices", 1)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# What these tests or earlier ones compiled is kept. A folder for each worker: JAX warns of two that
# write one entry.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    jax.config.update("jax_compilation_cache_dir", str(cache_folder(f"tests-{WORKER}")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

hypothesis.settings.register_profile("symla", deadline=None, derandomize=True, max_examples=15)
hypothesis.settings.load_profile("symla")


MAPS = Path("/proc/self/maps")
MANY = 20_000  # memory maps: Linux allows 65,530 of a process, and each compiled program has some


@pytest.fixture(scope="module", autouse=True)
def few_programs():
    """What was compiled is forgotten where there is so much that the process would be aborted."""
    yield
    if MAPS.exists() and len(MAPS.read_bytes().splitlines()) > MANY:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture
def own_program():
    """As in a person's own program: no shapes are checked, and jax promotes types and ranks."""
    jaxtyping.config.update("jaxtyping_disable", True)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
    jaxtyping.config.update("jaxtyping_disable", False)
