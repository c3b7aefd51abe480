"""Streams of random numbers: what a seed is used for.

With JAX's counter-based generator `split(k)[i]` equals `fold_in(k, i)`. So one key serves one
purpose: it is consumed, or split, or folded with numbers that nothing else folds into it.
"""

import logging
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import jax

from symla.core.errors import CheckpointError
from symla.core.types import PRNGKey

VERSION = 2  # of how random numbers follow from a seed: another one means other numbers


def check_version(found: int, where: object) -> None:
    """Raises CheckpointError for a run whose random numbers followed from its seed otherwise."""
    if found != VERSION:
        raise CheckpointError(
            f"{where} was begun by a version of symla that drew other random numbers from a seed "
            f"(streams {found}, this one has {VERSION}): it would not go on as it began. Its rule "
            "still loads and tests; to train further, train anew, or resume it with the version "
            "that began it"
        )


def numerics() -> dict[str, Any]:
    """What bits depend on besides the settings: it stands in every manifest."""
    config = jax.config.values
    partitionable = "partitionable" if config["jax_threefry_partitionable"] else "sequential"
    return {
        "jax": jax.__version__,
        "prng": f"{config['jax_default_prng_impl']}, {partitionable}",
        "streams": VERSION,
    }


def check_numerics(before: Mapping[str, Any], where: object) -> None:
    """Raises CheckpointError if other random numbers would be drawn here than `before`; another
    version of jax is said."""
    now = numerics()
    check_version(before.get("streams", 1), where)
    if before.get("prng", now["prng"]) != now["prng"]:
        raise CheckpointError(
            f"{where} was made with the random numbers of {before['prng']!r}, but jax gives "
            f"{now['prng']!r} here: it would not go on as it began. Set JAX_DEFAULT_PRNG_IMPL and "
            "JAX_THREEFRY_PARTITIONABLE as they were"
        )
    if before.get("jax", now["jax"]) != now["jax"]:
        logging.getLogger("symla").warning(
            "%s was made with jax %s, and this is %s: results may differ in their last bits",
            where, before["jax"], now["jax"],
        )  # fmt: skip


class Stream(IntEnum):
    """What is drawn from a seed; each purpose has numbers of its own."""

    INIT = 0  # fresh meta-parameters
    TRAINING = 1  # noise and lifetimes of generations
    TESTING = 2  # lifetimes that are reported
    CHOOSING = 3  # lifetimes that choose a checkpoint or a rule, and are never reported
    AGENT = 4  # the lifetime of an agent in a person's own loop
    LIVES = 5  # lives that go on over generations, as they are at the beginning


def stream_key(seed: int, stream: Stream) -> PRNGKey:
    """The key of one stream of a seed."""
    return jax.random.fold_in(jax.random.key(seed), int(stream))
