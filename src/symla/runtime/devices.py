"""Devices: how many, and how a batch is spread over them. On a CPU, a device is a core.

Room: base layer. With several processes every one of them runs the same program on the same values,
and `jax.devices()` are the devices of all: nothing else in the project knows how many there are.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

from symla.core.types import State

AXIS = "batch"
_chosen: ContextVar[tuple[jax.Device, ...]] = ContextVar("devices", default=())  # none: all


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(batched, *shared)` with the leading axis of its first argument over all devices.

    A batch that does not divide evenly is filled up with copies of its last element, whose results
    are dropped. What is returned is gathered on every device, so that whatever is summed
    afterwards is summed in one order, however many devices there are.
    """
    mesh = _mesh()
    split, whole = PartitionSpec(AXIS), PartitionSpec()

    def run(batched, *shared):
        size = jax.tree.leaves(batched)[0].shape[0]
        missing = -size % mesh.size
        if missing:
            batched = jax.tree.map(lambda x: jnp.concatenate([x, *[x[-1:]] * missing]), batched)
        parts = _sharded(function, mesh, (split, *(whole for _ in shared)), split)(batched, *shared)
        gathered = jax.lax.with_sharding_constraint(parts, NamedSharding(mesh, whole))
        return jax.tree.map(lambda x: x[:size], gathered)

    return run


def everywhere(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` computed whole on every device, so that XLA compiles it for one shape alone.

    Split between devices its sums are taken in another order, and even elementwise operations are
    fused, and so rounded, in another way. Whole, it has the same bits however many there are.
    """
    mesh, whole = _mesh(), PartitionSpec()
    return _sharded(function, mesh, whole, whole)


def replicate(state: State) -> State:
    """A copy on every device."""
    return jax.device_put(state, NamedSharding(_mesh(), PartitionSpec()))


def gather(*values: int) -> Int[np.ndarray, "processes values"]:
    """What each process has to say; a row each. All of them must call it."""
    if jax.process_count() == 1:
        return np.array([values])
    return np.asarray(multihost_utils.process_allgather(np.array(values, np.int32)))


@contextmanager
def only(devices: Sequence[jax.Device]) -> Iterator[None]:
    """What is traced inside is spread over these devices instead of all."""
    token = _chosen.set(tuple(devices))
    try:
        yield
    finally:
        _chosen.reset(token)


def describe() -> str:
    """The devices of all processes, in words."""
    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} in {jax.process_count()} process(es)"


def _sharded(function: Callable[..., Any], mesh: Mesh, into: Any, out: Any) -> Callable[..., Any]:
    # Varying values are not checked: a lifetime starts from constants, which are not marked so.
    # Outside of another jit one of its own, or every operation would be compiled by itself.
    return jax.jit(
        jax.shard_map(function, mesh=mesh, in_specs=into, out_specs=out, check_vma=False)
    )


def _mesh() -> Mesh:
    return Mesh(np.array(_chosen.get() or jax.devices()), (AXIS,))
