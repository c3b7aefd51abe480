"""The devices and processes that a command runs on, settled before jax is first used.

Room: host. Nothing of jax is imported until it is prepared.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.core.caches import cache_folder
from symla.core.errors import ProcessError, SettingError, require
from symla.runtime import processes

_ADVICE = (
    "Every one needs the same --coordinator HOST:PORT and --processes N, and its own --process-id "
    "from 0"
)


@dataclass(frozen=True)
class MachineOptions:
    """What of the machine a command uses."""

    devices: int | None = None
    """Cores of a CPU that share the population. Default: all; of GPUs always all. However many
    there are, the result is the same."""
    distributed: bool = False
    """This is one of several processes, on one machine or many, that train together; the first one
    writes. Under SLURM the next three are found by themselves."""
    coordinator: str | None = None
    """distributed: host:port of the first process; the port must be free there."""
    processes: int | None = None
    """distributed: how many there are."""
    process_id: int | None = None
    """distributed: which one this is, from 0."""
    wait: float = 8.0
    """distributed: seconds that the processes wait for each other to start. Above 0."""


def prepare_jax(machine: MachineOptions = MachineOptions()) -> None:
    """Say which devices there are, before jax is first used: by default every core of the CPU.

    What XLA compiles is kept between runs. Raises SettingError for fewer than 1 device, or
    processes that cannot find each other.
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

    jax.config.update("jax_num_cpu_devices", devices or _cores())
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder("xla")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    if machine.distributed:
        _meet(*_found(machine), machine.wait)
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        platforms = os.environ.get("JAX_PLATFORMS", "")
        raise SettingError(
            f"jax cannot use the devices it was told to (JAX_PLATFORMS={platforms!r}): "
            f"{error or 'there are none here'}. Unset JAX_PLATFORMS, or set it to cpu"
        ) from error


def _found(machine: MachineOptions) -> tuple[str, int, int]:
    """Address, number and own number: as given, the rest from SLURM and its like."""
    from jax._src.clusters import ClusterEnv  # nothing public asks without also connecting

    given = machine.coordinator, machine.processes, machine.process_id
    if None in given:
        try:
            given = ClusterEnv.auto_detect_unset_distributed_params(*given, None, None, None)[:3]
        except (RuntimeError, ValueError, TypeError, KeyError, OSError) as error:
            raise SettingError(
                f"the processes cannot find each other: {error}. {_ADVICE}"
            ) from error
    require(None not in given, f"the processes cannot find each other. {_ADVICE}")
    return given


def _meet(coordinator: str, count: int, number: int, wait: float) -> None:
    import jax

    port = processes.meet(coordinator, count, number, wait)  # of jax, which trusts everybody
    host = coordinator.rpartition(":")[0]
    try:
        jax.distributed.initialize(f"{host}:{port}", count, number, initialization_timeout=60)
    except (RuntimeError, ValueError) as error:
        raise ProcessError(f"the processes did not find each other: {error}. {_ADVICE}") from error


def _cores() -> int:
    """Those this process may use, which on a cluster are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_writer() -> bool:
    """Whether this process is the one that writes and speaks."""
    import jax

    return jax.process_index() == 0


def same_everywhere(config: Mapping[str, Any]) -> None:
    """Raises SettingError, naming the process, if one was started with other settings."""
    from symla.runtime.devices import gather

    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).digest()
    hashes = gather(int.from_bytes(digest[:3], "little"))[:, 0]
    others = [str(i) for i, value in enumerate(hashes) if value != hashes[0]]
    require(
        not others,
        f"process {', '.join(others)} was started with other settings than process 0: "
        "start all of them with the same options and seed",
    )
