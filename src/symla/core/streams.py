"""Streams of random numbers: what a seed is used for.

With JAX's counter-based generator `split(k)[i]` equals `fold_in(k, i)`. So one key serves one
purpose: it is consumed, or split, or folded with numbers that nothing else folds into it.
"""

from enum import IntEnum

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
