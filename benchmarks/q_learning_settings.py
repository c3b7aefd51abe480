"""Which settings of tabular Q-learning serve as defaults? Chosen on random tables, one drawn a
lifetime, none of which is reported anywhere.

    python benchmarks/q_learning_settings.py [--lifetimes 48] [--shown 10] [--json FILE]

Each setting's return is put between random play (0) and the best setting of that task (1); what
counts is the mean over tasks, and over lifetimes of 200 and of 1,000 steps. Five minutes on two
cores. These tables are small and favour a small discount: the best setting has 0.7 and reaches
0.90, in its worst task 0.37. The default is, of those that look further ahead (0.85 at least), the
one with the best worst task, 0.58; its mean is 0.87, that of the best of them, too.
"""

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from symla.algorithms import QLearning, Random
from symla.core.types import Discrete, Spec, Timestep
from symla.lifetimes.lifetime import lifetime
from symla.report.terminal import console, print_table
from symla.runtime.machine import prepare_jax
from symla.runtime.provenance import provenance
from symla.store import write_json

LENGTHS = (200, 1000)
GRID = {
    "learning_rate": (0.35, 0.5, 0.65, 0.8),
    "discount": (0.7, 0.8, 0.85, 0.9, 0.95),
    "epsilon, its decay": (
        (0.02, 0.0), (0.1, 0.01), (0.1, 0.03), (0.3, 0.03), (0.3, 0.1), (1.0, 0.1), (1.0, 0.3),
    ),
    "initial_value": (0.25, 0.5, 0.75),
}  # fmt: skip


class Task(NamedTuple):
    """A table: probabilities of the next state, expected rewards, final states, the first state."""

    next: jax.Array  # [S, B, S]
    reward: jax.Array  # [S, B]
    final: jax.Array  # [S]
    first: jax.Array


class Place(NamedTuple):
    """The state of the table, and the number of steps taken in the episode."""

    state: jax.Array
    step: jax.Array


@dataclass(frozen=True)
class Table:
    """A random table of that kind. Its rewards are multiplied by `scale`, then `price` is added."""

    kind: str
    states: int
    actions: int
    episode_length: int | None
    scale: float = 1.0
    price: float = 0.0

    @property
    def spec(self) -> Spec:
        return Spec(self.states, Discrete(self.actions), self.episode_length, one_hot=True)

    def sample_task(self, key: jax.Array) -> Task:
        task = KINDS[self.kind](key, self.states, self.actions)
        return task._replace(reward=self.scale * task.reward + self.price)

    def reset(self, key: jax.Array, task: Task) -> tuple[Place, jax.Array]:
        place = Place(jnp.asarray(task.first, jnp.int32), jnp.zeros((), jnp.int32))
        return place, self._observe(place)

    def step(self, key: jax.Array, task: Task, place: Place, action: jax.Array) -> Timestep:
        cumulative = jnp.cumsum(task.next[place.state, action])
        drawn = jax.random.uniform(key) * cumulative[-1]
        after = Place(jnp.sum(cumulative[:-1] <= drawn, dtype=jnp.int32), place.step + 1)
        terminated = task.final[after.state]
        limit = self.episode_length
        out_of_time = jnp.zeros((), bool) if limit is None else after.step >= limit
        reward = task.reward[place.state, action]
        truncated = out_of_time & ~terminated
        return Timestep(after, self._observe(after), reward, terminated, truncated)

    def _observe(self, place: Place) -> jax.Array:
        return (jnp.arange(self.states) == place.state).astype(jnp.float32)


def dense(key: jax.Array, states: int, actions: int) -> Task:
    """Random transitions, normal rewards."""
    keys = jax.random.split(key)
    rewards = jax.random.normal(keys[1], (states, actions))
    return Task(_random_transitions(keys[0], states, actions), rewards, _none(states), 0)


def sparse(key: jax.Array, states: int, actions: int) -> Task:
    """Random transitions; one state pays 1."""
    rewards = jnp.tile((jnp.arange(states) == states - 1)[:, None], actions).astype(jnp.float32)
    return Task(_random_transitions(key, states, actions), rewards, _none(states), 0)


def contexts(key: jax.Array, states: int, actions: int) -> Task:
    """A contextual bandit: the next state is uniform, rewards are uniform in [0, 1]."""
    uniform = jnp.full((states, actions, states), 1.0 / states)
    return Task(uniform, jax.random.uniform(key, (states, actions)), _none(states), 0)


def chain(key: jax.Array, states: int, actions: int) -> Task:
    """Left or right, which is which drawn for each state; the end pays 1 and is final."""
    here = jnp.arange(states)
    forward = jax.random.bernoulli(key, 0.5, (states,)).astype(jnp.int32)
    ahead, back = jnp.minimum(here + 1, states - 1), jnp.maximum(here - 1, 0)
    after = jnp.stack([jnp.where(forward == b, ahead, back) for b in range(actions)], axis=1)
    return _paying(jax.nn.one_hot(after, states), here == states - 1, _none(states), 0)


def grid(key: jax.Array, states: int, actions: int, slip: bool = False, fall: float = 0.0) -> Task:
    """Start, goal and holes in random cells; the goal pays 1, a hole `fall`; both are final."""
    side, cell = round(states**0.5), jnp.arange(states)
    order = jax.random.permutation(key, states)
    holes = _none(states).at[order[2 : 2 + max(1, states // 6)]].set(True)
    moves = ((-1, 0), (1, 0), (0, -1), (0, 1))
    after = [
        jnp.clip(cell // side + down, 0, side - 1) * side
        + jnp.clip(cell % side + right, 0, side - 1)
        for down, right in moves
    ]
    next_ = jax.nn.one_hot(jnp.stack(after, axis=1), states)
    if slip:  # as often to either side
        next_ = (next_ + next_[:, jnp.array([2, 2, 0, 0])] + next_[:, jnp.array([3, 3, 1, 1])]) / 3
    return _paying(next_, cell == order[1], holes, order[0], fall)


def _random_transitions(key: jax.Array, states: int, actions: int) -> jax.Array:
    return jax.random.dirichlet(key, jnp.full(states, 0.2), (states, actions))


def _none(states: int) -> jax.Array:
    return jnp.zeros(states, bool)


def _paying(
    next_: jax.Array, goal: jax.Array, holes: jax.Array, first: Any, fall: float = 0.0
) -> Task:
    pays = goal.astype(jnp.float32) + fall * holes
    final = goal | holes
    return Task(next_, (next_ @ pays) * ~final[:, None], final, first)


KINDS = {
    "dense": dense,
    "sparse": sparse,
    "contexts": contexts,
    "chain": chain,
    "grid": grid,
    "slippery": lambda *arguments: grid(*arguments, slip=True),
    "holes cost": lambda *arguments: grid(*arguments, fall=-1.0),
}
TABLES = (
    Table("dense", 6, 3, None), Table("dense", 12, 4, 20), Table("dense", 6, 3, None, scale=10.0),
    Table("sparse", 10, 3, 30), Table("sparse", 16, 5, 40), Table("contexts", 4, 4, None),
    Table("chain", 7, 2, 30), Table("chain", 12, 2, 60),
    Table("grid", 9, 4, 20), Table("grid", 16, 4, 40), Table("grid", 25, 4, 60),
    Table("grid", 16, 4, 40, price=-0.2), Table("slippery", 9, 4, 30), Table("slippery", 16, 4, 60),
    Table("holes cost", 16, 4, 40),
)  # fmt: skip


class _Traced(QLearning):
    """Its settings may be arrays, which no range can be asked of."""

    def __post_init__(self) -> None: ...


def scores(table: Table, length: int, settings: np.ndarray, lifetimes: int) -> np.ndarray:
    """Of each row of settings: 0 as good as random play, 1 as good as the best of them."""
    keys = jax.random.split(jax.random.key(0), lifetimes)

    @jax.jit
    def returns(rows: jax.Array) -> jax.Array:
        def one(row: jax.Array, key: jax.Array) -> jax.Array:
            return lifetime(_Traced(*row), table, (), key, length, record=None)[0]

        return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(rows, keys).mean(axis=1)

    @jax.jit
    def by_chance(key: jax.Array) -> jax.Array:
        return lifetime(Random(), table, (), key, length, record=None)[0]

    random = float(jax.vmap(by_chance)(keys).mean())
    found = np.asarray(returns(jnp.asarray(settings, jnp.float32)), np.float64)
    return (found - random) / (found.max() - random)


def rows_of(grid: Any) -> Sequence[tuple[float, ...]]:
    return [(rate, discount, *epsilons, first) for rate, discount, epsilons, first in grid]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--lifetimes", type=int, default=48)
    parser.add_argument("--shown", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    prepare_jax()
    settings = np.array(rows_of(itertools.product(*GRID.values())))
    found = np.stack(
        [
            scores(table, length, settings, options.lifetimes)
            for table, length in itertools.product(TABLES, LENGTHS)
        ],
        axis=1,
    )
    mean, worst = found.mean(axis=1), found.min(axis=1)
    ours = [getattr(QLearning(), field.name) for field in fields(QLearning)]
    best = np.argsort(-mean)[: options.shown]
    shown = [*best, *np.flatnonzero((settings == ours).all(axis=1))]
    header = [field.name for field in fields(QLearning)] + ["mean score", "worst task", ""]
    rows = [
        [*(f"{x:g}" for x in settings[i]), f"{mean[i]:.3f}", f"{worst[i]:.3f}",
         "default" if list(settings[i]) == ours else ""]
        for i in shown
    ]  # fmt: skip
    print_table(console, header, rows)
    if options.json:
        report = {"settings": settings.tolist(), "scores": found.tolist(), **provenance()}
        write_json(options.json, report)


if __name__ == "__main__":
    main()
