"""The devices and processes that a command runs on, chosen before jax is first used.

jax is imported inside functions, so that reading options does not need it.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symla.core.caches import cache_folder
from symla.core.cpu import available_cores
from symla.core.errors import ProcessError, SettingError, require
from symla.runtime import processes

MEMORY = 0.8  # of what is available: the largest share that states may take
_HINT = (
    "Every one needs the same --coordinator HOST:PORT and --processes N, and its own --process-id "
    "from 0"
)


def use_all_cores() -> None:
    """Make each core a device of JAX, unless the program has used JAX or said how many it wants."""
    import jax

    if getattr(jax.config, "jax_num_cpu_devices", None) == -1:
        with suppress(RuntimeError):  # it is too late
            jax.config.update("jax_num_cpu_devices", max(2, available_cores()))


@dataclass(frozen=True)
class MachineOptions:
    """The part of the machine that a command uses."""

    devices: int | None = None
    """Cores of a CPU that share the population. Default: all; of GPUs always all. The result does
    not depend on the number."""
    distributed: bool = False
    """This is one of several processes, on one machine or many, that train together; the first one
    writes. Under SLURM the next three options are found by themselves."""
    coordinator: str | None = None
    """distributed: host:port of the first process; the port must be free there."""
    processes: int | None = None
    """distributed: how many there are."""
    process_id: int | None = None
    """distributed: which one this is, from 0."""
    wait: float = 8.0
    """distributed: seconds that the processes wait for each other to start. Above 0."""


def prepare_jax(machine: MachineOptions = MachineOptions()) -> None:
    """Configure jax before its first use: devices (by default all usable cores), cache, processes.

    The cache keeps what XLA compiles between runs. Raises SettingError for fewer than 1 device and
    for devices or addresses that cannot be used; ProcessError if the processes do not connect.
    """
    devices = machine.devices
    require(devices is None or devices >= 1, f"devices must be at least 1, got {devices}")
    named = (machine.coordinator, machine.processes, machine.process_id)
    require(machine.wait > 0, f"wait must be above 0 seconds, got {machine.wait}")
    require(
        machine.distributed or named == (None, None, None),
        "--coordinator, --processes and --process-id need --distributed beside them",
    )
    import jax

    from symla.runtime.devices import LEAST, use_usually

    jax.config.update("jax_enable_x64", False)  # whatever other programs are told: core.precision
    cores = devices or available_cores()
    jax.config.update("jax_num_cpu_devices", max(LEAST, cores))
    use_usually(cores)
    # A program for one device runs in the thread that calls it: the way to another thread and back
    # takes longer than an action of a learner. Programs for several devices are not affected.
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder("xla")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    if machine.distributed:
        _connect(*_process_settings(machine), machine.wait)
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        platforms = os.environ.get("JAX_PLATFORMS", "")
        raise SettingError(
            f"jax cannot use the devices it was told to (JAX_PLATFORMS={platforms!r}): "
            f"{str(error) or 'there are none here'}. Unset JAX_PLATFORMS, or set it to cpu"
        ) from error


def _process_settings(machine: MachineOptions) -> tuple[str, int, int]:
    """Coordinator, number of processes and own number: as given, else from SLURM or the like."""
    # jax has no public function that finds them without connecting too.
    from jax._src.clusters import ClusterEnv

    given = machine.coordinator, machine.processes, machine.process_id
    if None in given:
        try:
            given = ClusterEnv.auto_detect_unset_distributed_params(*given, None, None, None)[:3]
        except (RuntimeError, ValueError, TypeError, KeyError, OSError) as error:
            raise SettingError(f"the processes cannot find each other: {error}. {_HINT}") from error
    coordinator, count, number = given
    if coordinator is None or count is None or number is None:
        raise SettingError(f"the processes cannot find each other. {_HINT}")
    return coordinator, count, number


def _connect(coordinator: str, count: int, number: int, wait: float) -> None:
    """Connect the processes, first ours and then jax's. Raises ProcessError."""
    import jax

    port = processes.connect(coordinator, count, number, wait)  # jax's own
    host = coordinator.rpartition(":")[0]
    try:
        jax.distributed.initialize(f"{host}:{port}", count, number, initialization_timeout=60)
    except (RuntimeError, ValueError) as error:
        raise ProcessError(f"jax could not connect the processes: {error}. {_HINT}") from error


def is_writer() -> bool:
    """Whether this process is the one that writes files and prints."""
    import jax

    return jax.process_index() == 0


def same_everywhere(config: Mapping[str, Any]) -> None:
    """Raises SettingError, naming the processes, if some were started with other settings."""
    from symla.runtime.devices import gather

    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).digest()
    hashes = gather(int.from_bytes(digest[:3], "little"))[:, 0]
    others = [str(i) for i, value in enumerate(hashes) if value != hashes[0]]
    require(
        not others,
        f"process {', '.join(others)} was started with other settings than process 0: "
        "start all of them with the same options and seed",
    )


def available_memory() -> int | None:
    """Bytes that this process may still take; None where that cannot be known."""
    found = []
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        line = next(x for x in lines if x.startswith("MemAvailable:"))
        found.append(1024 * int(line.split()[1]))
    with suppress(OSError, ValueError, KeyError):  # of a container; "max" where it has no limit
        group = Path("/sys/fs/cgroup")
        limit, used = ((group / name).read_text() for name in ("memory.max", "memory.current"))
        counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        cached = int(counts["inactive_file"])  # of files: given up where memory is short
        found.append(int(limit) - int(used) + cached)
    return min(found, default=None)
