"""A generator that records what each key is used for: drawn from, split, or folded with a number.

It draws the numbers of threefry2x32, whose `split(k)[i]` equals `fold_in(k, i)`. So a key that is
used twice shows: in `clashes`.
"""

from collections import defaultdict
from functools import partial

import jax
import numpy as np
from jax.extend.random import define_prng_impl

from symla.core.random_numbers import fast_key

USES: dict[tuple[int, int], set[tuple]] = defaultdict(set)  # by the two words of the key


def _record(kind, shape, key, data):
    USES[tuple(np.asarray(key).tolist())].add((kind, int(data), shape))


def _recorded(kind, key, data=0, shape=()):
    jax.debug.callback(partial(_record, kind, shape), key, data)
    return fast_key(jax.random.wrap_key_data(key, impl="threefry2x32"))  # compiles sooner


def _split(key, shape):
    return jax.random.key_data(jax.random.split(_recorded("split", key, shape=shape), shape))


def _fold_in(key, data):
    return jax.random.key_data(jax.random.fold_in(_recorded("fold_in", key, data), data))


def _bits(key, bit_width, shape):
    plain = _recorded("draw", key, shape=(bit_width, *shape))
    return jax.random.bits(plain, shape, f"uint{bit_width}")


RECORDED = define_prng_impl(
    key_shape=(2,),
    seed=lambda seed: jax.random.key_data(jax.random.key(seed, impl="threefry2x32")),
    split=_split,
    random_bits=_bits,
    fold_in=_fold_in,
    name="recorded_threefry2x32",
    tag="rec",
)


def clashes() -> list[str]:
    """Keys with two uses that may give one number: all but folding in of different numbers.

    Equal uses count once, because a compiled program may compute a thing twice.
    """
    jax.effects_barrier()
    return [
        f"{key}: {sorted(uses)}"
        for key, uses in USES.items()
        if len(uses) > 1 and any(kind != "fold_in" for kind, _, _ in uses)
    ]
