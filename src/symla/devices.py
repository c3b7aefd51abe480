"""Devices: how many, and how a batch is spread over them. On a CPU, a device is a core.

Room: base layer. With several processes every one of them runs the same program on the same values,
and `jax.devices()` are the devices of all: nothing else in the project knows how many there are.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

from symla.types import State

AXIS = "batch"


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(batched, *shared)` with the leading axis of its first argument over all devices.

    A batch that does not divide evenly is filled up with copies of its last element, whose results
    are dropped. What is returned is gathered on every device, so that whatever is summed
    afterwards is summed in one order, however many devices there are.
    """
    mesh = _all_devices()
    split, whole = PartitionSpec(AXIS), PartitionSpec()

    def run(batched, *shared):
        size = jax.tree.leaves(batched)[0].shape[0]
        missing = -size % mesh.size
        if missing:
            batched = jax.tree.map(lambda x: jnp.concatenate([x, *[x[-1:]] * missing]), batched)
        parts = jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(split, *(whole for _ in shared)),
            out_specs=split,
            check_vma=False,  # a lifetime starts from constants, which are not marked as varying
        )(batched, *shared)
        gathered = jax.lax.with_sharding_constraint(parts, NamedSharding(mesh, whole))
        return jax.tree.map(lambda x: x[:size], gathered)

    return run


def everywhere(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` computed whole on every device, so that XLA compiles it for one shape alone.

    Split between devices its sums are taken in another order, and even elementwise operations are
    fused, and so rounded, in another way. Whole, it has the same bits however many there are.
    """
    mesh, whole = _all_devices(), PartitionSpec()
    return jax.shard_map(function, mesh=mesh, in_specs=whole, out_specs=whole, check_vma=False)


def replicate(state: State) -> State:
    """A copy on every device."""
    return jax.device_put(state, NamedSharding(_all_devices(), PartitionSpec()))


def gather(*values: int) -> Int[np.ndarray, "processes values"]:
    """What each process has to say; a row each. All of them must call it."""
    if jax.process_count() == 1:
        return np.array([values])
    return np.asarray(multihost_utils.process_allgather(np.array(values, np.int32)))


def describe() -> str:
    """The devices of all processes, in words."""
    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} in {jax.process_count()} process(es)"


def _all_devices() -> Mesh:
    return Mesh(np.array(jax.devices()), (AXIS,))
