"""What MetaGenRL's population costs over each size: figure and numbers for the documentation.

    taskset -c 0 python benchmarks/metagenrl_costs.py [--repeats 3] [--folder docs]

A generation of the defaults: 50 steps of each agent in 4 environments, 50 updates of its critics,
25 of its policy and of the objective, second order. One size varies, the others are 4 agents of
32 x 32 units, batches of 128 and one action dimension, in a linear system of 4 states. Writes
FOLDER/data/metagenrl_costs.json and FOLDER/images/metagenrl_costs.png.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from over_sizes import draw_seconds, run, seconds_row

from symla.algorithms import MetaGenRL
from symla.bench.populations import LENGTH, generation_seconds
from symla.environments import LinearSystem
from symla.outer import ThroughCritic
from symla.training.generation import Training


@dataclass(frozen=True)
class Sizes:
    """Of what is timed."""

    agents: int = 4
    batch: int = MetaGenRL.batch
    units: int = 32
    actions: int = 1


AXES: dict[str, list[tuple[int, Sizes]]] = {
    name: [(n, replace(Sizes(), **{field: n})) for n in values]
    for name, field, values in (
        ("agents", "agents", (1, 2, 4, 8, 16)),
        ("batch", "batch", (32, 64, 128, 256, 512)),
        ("units of a layer", "units", (16, 32, 64, 128, 256)),
        ("action dimensions", "actions", (1, 3, 6, 17)),
    )
}


def row(value: int, sizes: Sizes, repeats: int) -> dict[str, Any]:
    """The seconds that an update of one agent takes, of the objective's too."""
    training = Training(
        MetaGenRL(units=(sizes.units,) * 2, batch=sizes.batch),
        (LinearSystem(states=4, actions=sizes.actions),),
        ThroughCritic(sizes.agents),
        1,
        LENGTH,
        seed=0,
    )
    updates = LENGTH * sizes.agents
    return seconds_row(value, sizes, [x / updates for x in generation_seconds(training, repeats)])


if __name__ == "__main__":
    run(
        "metagenrl_costs",
        __doc__,
        AXES,
        row,
        partial(draw_seconds, "ms an update"),
        devices=1,
    )
