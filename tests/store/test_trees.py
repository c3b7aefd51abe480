"""The store takes any pytree of arrays: what comes back is the same tree, bit for bit."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from symla.core.errors import CheckpointError
from symla.store import flatten, load_checkpoint, save_checkpoint, unflatten

PATH = Path("there.safetensors")


class Layer(NamedTuple):
    weight: Any
    bias: Any


class Net(NamedTuple):
    forward: Any
    recurrent: Any


@partial(jax.tree_util.register_dataclass, data_fields=["count", "inner"], meta_fields=["kind"])
@dataclass(frozen=True)
class Registered:
    """A dataclass of a person's own; `kind` is static, no array."""

    count: Any
    inner: Any
    kind: str = "mine"


def bits(leaf):
    """Type, shape and bytes of an array, or of the data of a typed key."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return str(leaf.dtype), leaf.shape, np.asarray(jax.random.key_data(leaf)).tobytes()
    array = np.asarray(leaf)
    return str(array.dtype), array.shape, array.tobytes()


def survives(tree, path):
    """Through a file and back, against a template without any values."""
    save_checkpoint(path, flatten(tree, "outer"), {})
    template = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)
    found = unflatten(template, "outer", load_checkpoint(path).arrays, path)
    assert jax.tree.structure(found) == jax.tree.structure(tree)
    assert list(map(bits, jax.tree.leaves(found))) == list(map(bits, jax.tree.leaves(tree)))
    return found


def gymnax_state():
    environment, params = gymnax.make("CartPole-v1")
    return jax.jit(environment.reset)(jax.random.key(0), params)[1]


TREES = {
    "gymnax": gymnax_state,
    "named tuples": lambda: Net(Layer(jnp.ones((2, 3)), None), (Layer(jnp.zeros(1), ()),)),
    "a dataclass": lambda: Registered(jnp.asarray(3), {"b": [jnp.ones(2)], "a": None}),
    "keys": lambda: {
        "one": jax.random.key(7),
        "many": jax.random.split(jax.random.key(8), (2, 3)),
        "rbg": jax.random.key(9, impl="rbg"),
    },
    "no dimensions": lambda: [jnp.asarray(1.5), jnp.asarray(True), np.float32(2.0)],
    "types": lambda: [
        np.array([1, 2], t)
        for t in ("bool", "uint8", "int8", "int32", "uint32", "float16", "float32", jnp.bfloat16)
    ],
    "of the host": lambda: (np.arange(3, dtype=np.int64), np.array([0.1], np.float64)),
    "not finite": lambda: (jnp.array([jnp.nan, -0.0, jnp.inf]),),
    "nothing": lambda: {"a": (), "b": None, "c": {}, "d": jnp.zeros((0, 4))},
    "an array alone": lambda: jnp.arange(3),
    "keys of a dictionary": lambda: {"a/b": {"%": jnp.ones(1)}, "a": {"b": {"%": jnp.zeros(1)}}},
    "other orders": lambda: [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(10)[::-2],
        np.broadcast_to(np.float32(3), (2, 2)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", TREES)
def test_a_tree_survives_the_disk_bit_for_bit(tmp_path, name):
    survives(TREES[name](), tmp_path / "x.safetensors")


def test_a_restored_key_goes_on_as_the_stored_one(tmp_path):
    key = jax.random.key(3)
    found = survives((key,), tmp_path / "x.safetensors")[0]
    np.testing.assert_array_equal(jax.random.normal(found, (3,)), jax.random.normal(key, (3,)))


ARRAYS = arrays_of.arrays(
    st.sampled_from([np.float32, np.int32, np.uint32, np.bool_, np.float64]),
    arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
TREE = st.recursive(
    ARRAYS | ARRAYS.map(np.transpose) | st.none() | st.integers(0, 9).map(jax.random.key),
    lambda inner: st.one_of(
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
        st.dictionaries(st.integers(0, 20), inner, max_size=3),
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.tuples(inner, inner).map(lambda pair: Layer(*pair)),
        st.tuples(inner, inner).map(lambda pair: Registered(*pair)),
    ),
    max_leaves=8,
)


@given(tree=TREE)
def test_random_trees_survive_the_disk_bit_for_bit(tmp_path_factory, tree):
    survives(tree, tmp_path_factory.mktemp("tree") / "x.safetensors")


def test_names_are_those_of_fields_keys_and_positions():
    tree = {
        "params": Net(Layer(jnp.ones(1), jnp.ones(1)), [jnp.ones(1)]),
        "world": gymnax_state(),
        "a/b": (Registered(jnp.ones(1), None),),
    }
    assert set(flatten(tree, "x")) == {
        "x/params/forward/weight", "x/params/forward/bias", "x/params/recurrent/0",
        "x/world/time", "x/world/x", "x/world/x_dot", "x/world/theta", "x/world/theta_dot",
        "x/a%2Fb/0/count",
    }  # fmt: skip
    assert set(flatten(Layer(jnp.ones(1), None), "params")) == {"params/weight"}


def test_numbers_of_python_are_arrays_as_jax_makes_them():
    tree = {"time": 0, "scale": 0.5, "done": True}  # a state of gymnax that no jit has seen
    found = unflatten(tree, "x", flatten(tree, "x"), PATH)
    assert {k: (v.dtype.name, v.item()) for k, v in found.items()} == {
        "time": ("int32", 0), "scale": ("float32", 0.5), "done": ("bool", True),
    }  # fmt: skip


def test_what_is_missing_or_of_another_shape_is_named():
    tree = Net(Layer(jnp.ones((2, 3)), jax.random.key(0)), {"a": jnp.ones(1)})
    whole = flatten(tree, "params")
    for name, wrong, words in (
        ("params/forward/weight", None, r"there.* holds no 'params/forward/weight'.*recurrent/a"),
        ("params/forward/weight", np.ones((3, 2), np.float32), r"weight' is float32\[3, 2\].*needs "
         r"float32\[2, 3\]"),
        ("params/recurrent/a", np.ones(1, np.int32), r"a' is int32\[1\].*needs float32\[1\]"),
        ("params/forward/bias", np.ones(4, np.uint32), r"bias' is uint32\[4\].*uint32\[2\]"),
    ):  # fmt: skip
        arrays = {k: v for k, v in {**whole, name: wrong}.items() if v is not None}
        with pytest.raises(CheckpointError, match=words):
            unflatten(tree, "params", arrays, PATH)
    unflatten(tree, "params", {**whole, "another": np.ones(1)}, PATH)  # more is no fault
