"""What a seed is used for: keys that differ, whatever their purpose."""

import jax
import numpy as np
import pytest

from symla.core import streams
from symla.core.errors import CheckpointError
from symla.core.streams import Stream, stream_key


def words(keys):
    return {tuple(row) for row in np.asarray(jax.random.key_data(keys)).reshape(-1, 2).tolist()}


def test_splitting_is_folding_in():
    """The reason for the rules in `streams`: if JAX changes it, they may be relaxed."""
    key = jax.random.key(3)
    folded = jax.vmap(jax.random.fold_in, (None, 0))(key, np.arange(5))
    assert np.array_equal(
        jax.random.key_data(jax.random.split(key, 5)), jax.random.key_data(folded)
    )


def test_streams_of_all_seeds_differ():
    seeds = [*range(50), 2**31, 2**32 - 1]
    keys = [stream_key(seed, stream) for seed in seeds for stream in Stream]
    assert len(words(jax.numpy.stack(keys))) == len(seeds) * len(Stream)


def test_a_stream_keeps_its_number():
    """Numbers are part of the format of a run: whoever changes them raises VERSION."""
    assert {stream.name: int(stream) for stream in Stream} == {
        "INIT": 0, "TRAINING": 1, "TESTING": 2, "CHOOSING": 3, "AGENT": 4, "LIVES": 5,
    }  # fmt: skip
    assert streams.VERSION == 2


def test_a_run_of_other_streams_is_refused():
    streams.check_version(streams.VERSION, "here")
    with pytest.raises(CheckpointError, match=r"runs/old .*other random numbers"):
        streams.check_version(1, "runs/old")
