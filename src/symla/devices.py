"""Devices: how many, and how a batch is spread over them. On a CPU, a device is a core.

Room: base layer.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from symla.types import State

AXIS = "batch"


def mesh(batch: int) -> Mesh:
    """The largest number of devices that divides the batch."""
    devices = jax.devices()
    count = max(d for d in range(1, len(devices) + 1) if batch % d == 0)
    return Mesh(np.array(devices[:count]), (AXIS,))


def spread(function: Callable[..., Any], batch: int) -> Callable[..., Any]:
    """`function(batched, *shared)` with the leading axis of its first argument over all devices.

    What it returns is gathered on every device, so that whatever is summed afterwards is summed
    in one order, however many devices there are.
    """
    devices = mesh(batch)
    split, whole = PartitionSpec(AXIS), PartitionSpec()

    def run(batched, *shared):
        parts = jax.shard_map(
            function,
            mesh=devices,
            in_specs=(split, *(whole for _ in shared)),
            out_specs=split,
            check_vma=False,  # a lifetime starts from constants, which are not marked as varying
        )(batched, *shared)
        return jax.lax.with_sharding_constraint(parts, NamedSharding(devices, whole))

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


def _all_devices() -> Mesh:
    return Mesh(np.array(jax.devices()), (AXIS,))
