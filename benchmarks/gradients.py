"""The speed of gradients through lifetimes: generations of the policy gradient, fused and plain.

    taskset -c 0 python benchmarks/gradients.py [--repeats 5] [--length 32] [--candidates 8]

128 lifetimes of N = 16 on one device, timed in turns. A time is the CPU time of the process, which
other load on the machine changes less than that of the clock.
"""

import argparse
import time
from unittest import mock

import jax

from symla.algorithms import SymLA
from symla.bench.measure import Timer, measure, updates_timer
from symla.bench.workloads import SyntheticEnvironment
from symla.outer import PolicyGradient
from symla.runtime.machine import MachineOptions, prepare_jax
from symla.training.generation import Training

LIFETIMES = 128
SHAPES: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "9 x 4": (9, 4, ()),
    "4 x 3": (4, 3, ()),
    "9 x 6 x 4": (9, 4, (6,)),
}


def timer(name: str, backend: str, length: int, candidates: int) -> Timer:
    """Of one generation, as training runs them."""
    observations, actions, widths = SHAPES[name]
    environment = SyntheticEnvironment(observations, actions)
    algorithm = SymLA(widths=widths, backend=backend)
    outer = PolicyGradient(candidates)
    lifetimes = LIFETIMES // candidates
    return updates_timer(Training(algorithm, (environment,), outer, lifetimes, length, seed=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--length", type=int, default=32, help="steps of a lifetime")
    parser.add_argument("--candidates", type=int, default=8, help="that share the lifetimes")
    chosen = parser.parse_args()
    prepare_jax(MachineOptions(devices=1))
    print(f"{len(jax.devices())} device, {LIFETIMES} lifetimes of {chosen.length} steps")
    for name in SHAPES:
        timers = {
            backend: timer(name, backend, chosen.length, chosen.candidates)
            for backend in ("plain", "fused")
        }
        with mock.patch.object(time, "perf_counter", time.process_time):
            measure(timers.values(), chosen.repeats)
        steps = LIFETIMES * chosen.length
        for backend, found in timers.items():
            slowest, fastest = steps / max(found.timings), steps / min(found.timings)
            print(
                f"{name:9} {backend}: {steps / found.seconds:.3g} env-steps/s "
                f"({slowest:.3g} .. {fastest:.3g}), {found.memory / 2**20:.1f} MiB"
            )
        print(f"{name:9} ratio {timers['plain'].seconds / timers['fused'].seconds:.2f}", flush=True)


if __name__ == "__main__":
    main()
