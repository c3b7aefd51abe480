"""What runs here and why, for whoever wonders about speed or reports a fault."""

import os
import platform
import sys
import tempfile
from pathlib import Path

import jax

from symla.algorithms.symla.layer_update import kernel_report
from symla.core.caches import cache_folder
from symla.core.errors import SettingError
from symla.runtime.provenance import provenance


def doctor() -> dict[str, str]:
    """Findings by name, as a person reads them."""
    where, devices, kernels = provenance(), jax.devices(), cache_folder("kernels")
    compilations = jax.config.values["jax_compilation_cache_dir"]
    return {
        "symla": f"{where['symla']}, {where['revision']}",
        "python": f"{platform.python_version()} at {sys.executable}",
        "jax": where["jax"],
        "devices": f"{len(devices)} x {devices[0].device_kind} ({jax.default_backend()})",
        "processor": where["hardware"],
        "cores": f"{os.cpu_count()}",
        **_kernel(),
        "kernel cache": f"{kernels} ({_writable(kernels)})",
        "jax cache": f"{compilations} ({_writable(Path(compilations))})"
        if compilations
        else "none (JAX_COMPILATION_CACHE_DIR is not set)",
    }


def _kernel() -> dict[str, str]:
    try:
        report = kernel_report()
    except SettingError as error:  # a wrong SYMLA_KERNEL is what a doctor is asked about
        return {"kernel": f"none: {error}"}
    bits = report["vector_bits"]
    return {
        "kernel": f"{report['backend']}, because {report['reason']}",
        "compiler": report["compiler"] or "none (looked for $CXX, g++, clang++ and c++)",
        "library": f"{report['library']} ({bits}-bit vectors)" if bits else "none",
    }


def _writable(folder: Path) -> str:
    """Tried, not asked: permissions alone do not tell of full or read-only disks."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=there):
            return "writable"
    except OSError as error:
        return f"not writable: {error.strerror}"
