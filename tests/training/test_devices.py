"""How many devices are used, in processes that have not used JAX yet."""

import subprocess
import sys

import pytest

ALL_CORES = "from symla.runtime.machine import use_all_cores; use_all_cores()"
USUAL = """
from symla.runtime.machine import MachineOptions, prepare_jax
prepare_jax(MachineOptions(devices={}))
from symla.runtime.devices import copies_in_memory, own_devices, several
with several():
    joined = len(own_devices())
"""


def printed(code, what):
    """The number that a fresh process has for it."""
    done = subprocess.run(
        [sys.executable, "-c", f"import jax\n{code}\nprint({what})"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(
    ("before", "cores"),
    [
        ("", "max(2, len(__import__('os').sched_getaffinity(0)))"),
        ("jax.devices()", 1),
        ("jax.config.update('jax_num_cpu_devices', 5)", 5),
    ],
)
def test_a_program_gets_all_cores_unless_it_chose(before, cores):
    assert printed(f"{before}\n{ALL_CORES}", f"len(jax.devices()) - {cores}") == 0


@pytest.mark.parametrize("devices", [1, 3])
def test_where_one_is_used_a_population_is_on_two(devices):
    numbers = "10_000 * len(own_devices()) + 100 * joined + copies_in_memory()"
    several = max(2, devices)
    wanted = 10_000 * devices + 101 * several
    assert printed(USUAL.format(devices), numbers) == wanted
