"""JAX's default random numbers (threefry2x32), bit for bit, drawn by one C++ call on a CPU.

On other devices, and without a C++ compiler, JAX's own functions draw them.
"""

from collections.abc import Hashable
from functools import cache
from math import prod
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.extend.random import define_prng_impl
from jaxtyping import Array, UInt32

from symla.core.backends import choose_backend
from symla.core.compiler import load_library
from symla.core.types import PRNGKey

_HASH = "symla_threefry"
Words = UInt32[Array, "2"]  # a key


def fast_key(key: PRNGKey) -> PRNGKey:
    """`key`, or where C++ kernels run an equal key whose bits are drawn by the kernel."""
    return to_kernel_key(key) if choose_backend("auto", implementation)[0] == "fused" else key


def to_kernel_key(key: PRNGKey) -> PRNGKey:
    """An equal key of the kernel's implementation: it and keys derived from it give the same bits.

    A key of another generator than threefry2x32 is returned unchanged.
    """
    partitionable = jax.config.values["jax_threefry_partitionable"]
    if jax.random.key_impl(key) != "threefry2x32" or not partitionable:
        return key
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=implementation())


@cache
def implementation() -> Hashable:
    """The kernel as an implementation of JAX's keys. Compiles it once; raises CompilerError."""
    library, _ = load_library(Path(__file__).with_suffix(".cc"))
    jax.ffi.register_ffi_target(_HASH, jax.ffi.pycapsule(library[_HASH]), platform="cpu")
    return define_prng_impl(
        key_shape=(2,), seed=_seed, split=_split, random_bits=_bits, fold_in=_fold_in,
        name="symla_threefry2x32", tag="sym",
    )  # fmt: skip


def _hash(key: Words, first: UInt32[Array, ""], count: int, *, mix: bool) -> Array:
    shape = jax.ShapeDtypeStruct((count,) if mix else (count, 2), jnp.uint32)
    return jax.ffi.ffi_call(_HASH, shape, vmap_method="expand_dims")(key, first, mix=mix)


def _seed(seed: Array) -> Words:
    return jax.random.key_data(jax.random.key(seed, impl="threefry2x32"))


def _split(key: Words, shape: tuple[int, ...]) -> Array:
    return _hash(key, jnp.uint32(0), prod(shape), mix=False).reshape(*shape, 2)


def _fold_in(key: Words, data: Array | int) -> Words:
    return _hash(key, jnp.asarray(data).astype(jnp.uint32), 1, mix=False)[0]


def _bits(key: Words, bit_width: int, shape: tuple[int, ...]) -> Array:
    if bit_width != 32:
        plain = jax.random.wrap_key_data(key, impl="threefry2x32")
        return jax.random.bits(plain, shape, f"uint{bit_width}")
    return _hash(key, jnp.uint32(0), prod(shape), mix=True).reshape(shape)
