"""Distributes batches over devices. On a CPU, a device is a core.

With several processes each of them runs the same program on the same values, and `jax.devices()`
are the devices of all. No other code of the project depends on the number of devices.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from itertools import cycle, groupby, islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

from symla.core.precision import in_float32
from symla.core.types import State

AXIS = "batch"  # name of the mesh axis
LEAST = 2  # devices of a population: in a program for one XLA rounds in another way
GROUPS = 4  # of a batch on a CPU, at most, and so the devices that it is on
_chosen: ContextVar[tuple[jax.Device, ...]] = ContextVar("devices", default=())  # (): the usual
_usual_of_process: list[int] = []  # how many of a CPU's are used; []: all


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(batched, *shared)` with its first argument's leading axis sharded over all devices.

    A batch that does not divide evenly is padded with copies of its last element, whose results are
    dropped. Results are gathered on every device, so that sums over them are taken in the same
    order, and have the same bits, for any number of devices.
    """
    mesh = _mesh()
    split, whole = PartitionSpec(AXIS), PartitionSpec()

    def run(batched, *shared):
        size = jax.tree.leaves(batched)[0].shape[0]
        batched = _padded(batched, -size % mesh.size)
        parts = _sharded(function, mesh, (split, *(whole for _ in shared)), split)(batched, *shared)
        gathered = jax.lax.with_sharding_constraint(parts, NamedSharding(mesh, whole))
        return jax.tree.map(lambda x: x[:size], gathered)

    return run


def grouped(batched: State) -> list[State]:
    """A batch in groups, each on a device, where it stays from call to call.

    XLA rounds an element in another way in a batch of another size, and in a program for several
    devices. So a batch whose elements live apart for long is cut into groups whose number does not
    depend on the devices, and `on_each` calls one program for every group: then nor do the bits.
    """
    size = jax.tree.leaves(batched)[0].shape[0]
    within = -(-size // (GROUPS if jax.default_backend() == "cpu" else len(jax.devices())))
    batched = _padded(batched, -size % within)
    devices = own_devices()
    return [
        jax.device_put(jax.tree.map(lambda x: x[at : at + within], batched), devices[k])  # noqa: B023
        for k, at in zip(cycle(range(len(devices))), range(0, size, within))
    ]


def ungrouped(groups: Sequence[State], size: int) -> State:
    """The batch of that size that was `grouped`, on the host."""
    parts = [jax.device_get(group) for group in groups]
    return jax.tree.map(lambda *x: np.concatenate(x)[:size], *parts)


def on_each(function: Callable[..., Any], groups: Sequence[State]) -> list[Any]:
    """`function(group)` of all groups, those of different devices at the same time."""
    if len(groups) == 1:
        return [function(groups[0])]
    lanes = [list(groups[k :: len(own_devices())]) for k in range(len(own_devices()))]
    context = copy_context()

    def run(lane: Sequence[State]) -> list[Any]:
        # A thread has neither the context of this one, nor its setting of 64 bits.
        return context.copy().run(in_float32(lambda: [function(group) for group in lane]))

    with ThreadPoolExecutor(len(lanes)) as pool:
        found = list(pool.map(run, lanes))
    return [found[k % len(lanes)][k // len(lanes)] for k in range(len(groups))]


Joined = Callable[[Sequence[Any]], Any]
"""What `spread_groups` gives to a function, to see the results of other devices, too."""


def spread_groups(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(joined, groups, *shared) -> groups, whole`, each group sharded over all devices.

    As `spread`, for several batches that differ in size and in shapes. Within `function`,
    `joined(results)`, of results with the leading axes of the groups, is one batch: those of all
    groups in turn, from all devices, in an order that does not depend on them. `whole` is what
    every device must have computed alike, from what is shared or joined.
    """
    mesh = _mesh()
    split, whole = PartitionSpec(AXIS), PartitionSpec()

    def run(groups, *shared):
        sizes = [jax.tree.leaves(group)[0].shape[0] for group in groups]

        def joined(results):
            def join(*parts):
                every = [jax.lax.all_gather(x, AXIS, tiled=True) for x in parts]
                return jnp.concatenate([x[:size] for x, size in zip(every, sizes)])

            return jax.tree.map(join, *results)

        # At least two on each: XLA takes a loop over one apart, and rounds in another way then.
        least = 2 if jax.default_backend() == "cpu" else 1
        wanted = [mesh.size * max(least, -(-size // mesh.size)) for size in sizes]
        padded = tuple(_padded(own, n - size) for own, n, size in zip(groups, wanted, sizes))
        over_devices = _sharded(
            partial(function, joined), mesh, (split, *(whole for _ in shared)), (split, whole)
        )
        parts, same = over_devices(padded, *shared)
        gathered = jax.lax.with_sharding_constraint(parts, NamedSharding(mesh, whole))
        cut = [jax.tree.map(lambda x: x[:n], part) for part, n in zip(gathered, sizes)]  # noqa: B023
        return tuple(cut), same

    return run


def everywhere(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with replicated arguments and results: every device computes all of it.

    XLA then compiles it for one shape, and results have the same bits for any number of devices.
    Sharded, sums would be taken in another order, and elementwise operations fused, and so rounded,
    in another way.
    """
    mesh, whole = _mesh(), PartitionSpec()
    return _sharded(function, mesh, whole, whole)


def replicate(state: State) -> State:
    """A copy on every device."""
    return jax.device_put(state, NamedSharding(_mesh(), PartitionSpec()))


def placed(batched: State) -> State:
    """The same arrays where `spread` takes its first argument's: of what is passed at each of many
    steps, nothing is then moved at any. Whole on every device if the axis does not divide evenly.
    """
    mesh = _mesh()

    def put(x):
        axes = (AXIS,) if x.shape and x.shape[0] % mesh.size == 0 else ()
        return jax.device_put(x, NamedSharding(mesh, PartitionSpec(*axes)))

    return jax.tree.map(put, batched)


def gather(*values: int) -> Int[np.ndarray, "processes values"]:
    """The values of each process, one row per process. Every process must call it."""
    if jax.process_count() == 1:
        return np.array([values])
    return np.asarray(multihost_utils.process_allgather(np.array(values, np.int32)))


def gather_shares(mine: State, of: int) -> State:
    """All rows of arrays, of whose `of` each process has the share that `share` gave it."""
    if jax.process_count() == 1:
        return mine
    parts = np.array_split(np.arange(of), jax.process_count())

    def pad(x):
        return np.concatenate([x, np.zeros((parts[0].size - len(x), *x.shape[1:]), x.dtype)])

    every = multihost_utils.process_allgather(jax.tree.map(lambda x: pad(np.asarray(x)), mine))
    return jax.tree.map(
        lambda rows: np.concatenate([row[: part.size] for row, part in zip(rows, parts)]), every
    )


def local(tree: State) -> State:
    """A copy that this process alone has, of what all have."""

    def copy(x):
        if not jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jnp.asarray(np.asarray(x))
        data = jnp.asarray(np.asarray(jax.random.key_data(x)))
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))

    return jax.tree.map(copy, tree)


def share(of: int) -> range:
    """The numbers below `of` that this process does."""
    part = np.array_split(np.arange(of), jax.process_count())[jax.process_index()]
    return range(int(part[0]), int(part[-1]) + 1) if part.size else range(0)


def own_devices() -> list[jax.Device]:
    """Those of this process."""
    return [x for x in _mesh().devices if x.process_index == jax.process_index()]


def copies_in_memory() -> int:
    """How often the memory of this machine holds what is on every device, at least two of a CPU."""
    return max(LEAST, len(own_devices())) if jax.default_backend() == "cpu" else 1


@contextmanager
def use_devices(devices: Sequence[jax.Device]) -> Iterator[None]:
    """Within this context, functions are traced for these devices instead of all."""
    token = _chosen.set(tuple(devices))
    try:
        yield
    finally:
        _chosen.reset(token)


def use_usually(count: int) -> None:
    """From now on, the first so many CPU devices of each process are used, where nothing else is
    said."""
    _usual_of_process[:] = [count]


@contextmanager
def several() -> Iterator[None]:
    """Within this context, functions are traced for at least LEAST devices where JAX has them: so
    what they return has the same bits for any number. On a CPU they may share a core."""
    used = _mesh().devices.tolist()
    if len(used) >= LEAST or used[0].platform != "cpu":
        yield
        return
    more = [x for x in jax.devices() if x.process_index == used[0].process_index]
    with use_devices(more[:LEAST]):
        yield


def describe() -> str:
    """The devices of all processes, in words, such as "2 x cpu in 1 process(es)"."""
    devices = _usual()
    return f"{len(devices)} x {devices[0].device_kind} in {jax.process_count()} process(es)"


def _padded(batched: Any, missing: int) -> Any:
    if not missing:
        return batched
    return jax.tree.map(lambda x: jnp.concatenate([x, *[x[-1:]] * missing]), batched)


def _sharded(function: Callable[..., Any], mesh: Mesh, into: Any, out: Any) -> Callable[..., Any]:
    # check_vma is off because a lifetime starts from constants, which are not marked as varying.
    # jit is needed outside of another jit, where each operation would be compiled alone.
    return jax.jit(
        jax.shard_map(function, mesh=mesh, in_specs=into, out_specs=out, check_vma=False)
    )


def _mesh() -> Mesh:
    return Mesh(np.array(_chosen.get() or _usual()), (AXIS,))


def _usual() -> list[jax.Device]:
    devices = jax.devices()
    if not _usual_of_process or devices[0].platform != "cpu":
        return devices
    processes = groupby(devices, lambda x: x.process_index)
    return [x for _, own in processes for x in islice(own, _usual_of_process[0])]
