"""The CPU cores that this process may use. Imports no jax."""

import os


def available_cores() -> int:
    """Number of cores this process may use: on a cluster often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
