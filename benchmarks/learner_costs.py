"""What an update of TD3 costs over each size: figure and numbers for the documentation.

    python benchmarks/learner_costs.py [--repeats 3] [--folder docs]

One size varies, the others stay those of the preset `small` (64 x 64, batches of 100) with one
agent, 11 observations and 3 actions, those of Hopper. An update is one of the critics, and half
of one of the policy, on a buffer that is full. Writes FOLDER/data/learner_costs.json and
FOLDER/images/learner_costs.png.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from over_sizes import draw_seconds, run, seconds_row

from symla.algorithms.td3 import TD3
from symla.core.types import Continuous, Spec

UPDATES = 200  # in a call


@dataclass(frozen=True)
class Sizes:
    """Of what is timed."""

    agents: int = 1
    batch: int = 100
    units: int = 64
    actions: int = 3


AXES: dict[str, list[tuple[int, Sizes]]] = {
    name: [(n, replace(Sizes(), **{field: n})) for n in values]
    for name, field, values in (
        ("agents at once", "agents", (1, 2, 4, 8, 16)),
        ("batch", "batch", (25, 50, 100, 200, 400)),
        ("units of a layer", "units", (32, 64, 128, 256, 400)),
        ("action dimensions", "actions", (1, 3, 6, 17)),
    )
}


def update_of(sizes: Sizes) -> Callable[[], Any]:
    """UPDATES updates of all agents in one compiled call, which is waited for."""
    algorithm = TD3(units=(sizes.units,) * 2, batch=sizes.batch, capacity=10_000)
    spec = Spec(11, Continuous(sizes.actions), 1000)
    keys = jax.random.split(jax.random.key(0), sizes.agents)
    states = jax.vmap(lambda key: algorithm.init_state((), key, spec))(keys)
    full = jnp.full_like(states.replay.added, algorithm.capacity)
    states = states._replace(replay=states.replay._replace(added=full))
    # Targets begin as the networks that they follow, and a buffer can be donated only once.
    states = jax.tree.map(jnp.copy, states)

    @partial(jax.jit, donate_argnums=0)
    def updates(states: Any, keys: Any) -> Any:
        def one(i: Any, states: Any) -> Any:
            own = jax.vmap(jax.random.fold_in, (0, None))(keys, i)
            return jax.vmap(lambda state, key: algorithm.update((), state, i, key))(states, own)

        return jax.lax.fori_loop(0, UPDATES, one, states)

    def timed() -> None:
        nonlocal states
        states = jax.block_until_ready(updates(states, keys))

    return timed


def row(value: int, sizes: Sizes, repeats: int) -> dict[str, Any]:
    """The seconds that an update of all agents takes: the median, and all of them."""
    timed = update_of(sizes)
    timed()  # compiles
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        timed()
        seconds.append((time.perf_counter() - begun) / UPDATES)
    return seconds_row(value, sizes, seconds)


if __name__ == "__main__":
    run("learner_costs", __doc__, AXES, row, partial(draw_seconds, "ms an update"))
