"""Tabular grid worlds with objects, and a chain with a delayed reward (Oh et al. 2020)."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.core.errors import require
from symla.core.types import Action, Discrete, Observation, PRNGKey, Spec, Timestep
from symla.environments.grid_worlds import move

# A kind of grid: its objects, each [reward, probability that it ends the episode, probability that
# it appears again in a step], and the steps of an episode. Of the paper's, `longer` has 5 of its
# second object, in place of 2.
Objects = tuple[tuple[float, float, float], ...]
KINDS: dict[str, tuple[Objects, int]] = {
    "dense": (((1.0, 0.0, 0.05),) * 2 + ((-1.0, 0.5, 0.1), (-1.0, 0.0, 0.5)), 500),
    "sparse": (((1.0, 1.0, 0.0), (-1.0, 1.0, 0.0)), 50),
    "long": (((1.0, 0.0, 0.01),) * 2 + ((-1.0, 0.5, 1.0),) * 2, 1000),
    "longer": (((1.0, 0.1, 0.01),) * 2 + ((-1.0, 0.8, 1.0),) * 2, 2000),
    "long-dense": (((1.0, 0.0, 0.005),) * 4, 2000),
}
MOST = 4  # objects in a grid
NOTHING = (0.0, 0.0, 0.0)


class GridTask(NamedTuple):
    """What objects there are, and where."""

    cells: Int[Array, " objects"]
    present: Bool[Array, " objects"]  # at the start; others never appear
    values: Float[Array, "objects 3"]
    length: Int[Array, ""]  # steps of an episode


class GridState(NamedTuple):
    """Where the agent is, which objects are there, and the number of steps taken."""

    agent: Int[Array, ""]
    there: Bool[Array, " objects"]
    step: Int[Array, ""]


@dataclass(frozen=True)
class ObjectGrids:
    """Grids with objects that pay or cost, end the episode or not, and appear again or not.

    Each lifetime draws a kind of `kinds`, and the cells of its objects, all different; the agent
    starts in any other cell. An object that the agent steps on pays its reward, disappears, ends
    the episode with its probability, and is there again after each further step with another. What
    is observed is the state of a table, one-hot: the cell, and which objects are there. Actions are
    up, down, left, right. Raises SettingError for unknown kinds and grids without room.
    """

    size: int = 5  # rows and columns; 9 to 13 in the paper
    kinds: tuple[str, ...] = ("dense", "sparse", "long")

    def __post_init__(self):
        require(self.size >= 3, f"size must be at least 3, got {self.size}")
        wrong = [kind for kind in self.kinds if kind not in KINDS]
        require(
            bool(self.kinds) and not wrong,
            f"kinds must be some of {', '.join(KINDS)}, got {', '.join(wrong) or 'none'}",
        )

    @property
    def spec(self) -> Spec:
        longest = max(KINDS[kind][1] for kind in self.kinds)
        return Spec(self.size**2 * 2**MOST, Discrete(4), longest, one_hot=True)

    def sample_task(self, key: PRNGKey) -> GridTask:
        kind_key, cells_key = jax.random.split(key)
        rows = [KINDS[kind] for kind in self.kinds]
        padded = [(*objects, *(NOTHING,) * (MOST - len(objects))) for objects, _ in rows]
        present = [[i < len(objects) for i in range(MOST)] for objects, _ in rows]
        kind = jax.random.randint(kind_key, (), 0, len(rows))
        return GridTask(
            jax.random.permutation(cells_key, self.size**2)[:MOST].astype(jnp.int32),
            jnp.asarray(present)[kind],
            jnp.asarray(padded)[kind],
            jnp.asarray([length for _, length in rows], jnp.int32)[kind],
        )

    def reset(self, key: PRNGKey, task: GridTask) -> tuple[GridState, Observation]:
        taken = jnp.zeros(self.size**2, bool).at[task.cells].set(task.present)
        logits = jnp.where(taken, -jnp.inf, 0.0)
        agent = jax.random.categorical(key, logits).astype(jnp.int32)
        state = GridState(agent, task.present, jnp.zeros((), jnp.int32))
        return state, self._observation(state)

    def step(self, key: PRNGKey, task: GridTask, state: GridState, action: Action) -> Timestep:
        end_key, again_key = jax.random.split(key)
        agent, step = move(state.agent, action, self.size), state.step + 1
        met = state.there & (task.cells == agent)
        reward, end = (jnp.sum(jnp.where(met, x, 0.0)) for x in task.values.T[:2])
        terminated = jax.random.bernoulli(end_key, end)
        appears = jax.random.bernoulli(again_key, task.values[:, 2])
        there = task.present & ~met & (state.there | appears)
        state = GridState(agent, there, step)
        truncated = (step >= task.length) & ~terminated
        return Timestep(state, self._observation(state), reward, terminated, truncated)

    def _observation(self, state: GridState) -> Observation:
        bits = jnp.sum(jnp.where(state.there, 2 ** jnp.arange(MOST), 0))
        number = state.agent * 2**MOST + bits
        return (jnp.arange(self.size**2 * 2**MOST) == number).astype(jnp.float32)


class ChainState(NamedTuple):
    """Which way was taken, -1 or 1, or 0 before the first action; and the number of steps taken."""

    way: Int[Array, ""]
    step: Int[Array, ""]


@dataclass(frozen=True)
class DelayedChain:
    """The first of two actions decides what the last of `length` steps pays: +1 or -1.

    Which action is right is drawn once a lifetime. No other action does anything; with `noise`,
    each step before the last pays +-1 besides, at random. The observation is one-hot: the start, or
    the way and the step. Raises SettingError for a length below 2.
    """

    length: int = 10
    noise: bool = False

    def __post_init__(self):
        require(self.length >= 2, f"length must be at least 2, got {self.length}")

    @property
    def spec(self) -> Spec:
        return Spec(2 * self.length + 1, Discrete(2), self.length, one_hot=True)

    def sample_task(self, key: PRNGKey) -> Int[Array, ""]:
        return jax.random.randint(key, (), 0, 2, jnp.int32)

    def reset(self, key: PRNGKey, task: Int[Array, ""]) -> tuple[ChainState, Observation]:
        state = ChainState(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))
        return state, self._observation(state)

    def step(
        self, key: PRNGKey, task: Int[Array, ""], state: ChainState, action: Action
    ) -> Timestep:
        way = jnp.where(state.step == 0, jnp.where(action == task, 1, -1), state.way)
        state = ChainState(way.astype(jnp.int32), state.step + 1)
        last = state.step >= self.length
        noise = jax.random.rademacher(key, (), jnp.float32) if self.noise else jnp.zeros(())
        reward = jnp.where(last, way.astype(jnp.float32), noise)
        never = jnp.zeros((), bool)
        return Timestep(state, self._observation(state), reward, last, never)

    def _observation(self, state: ChainState) -> Observation:
        beyond = jnp.where(state.way > 0, self.length, 0)
        number = jnp.where(state.step == 0, 0, state.step + beyond)
        return (jnp.arange(2 * self.length + 1) == number).astype(jnp.float32)
