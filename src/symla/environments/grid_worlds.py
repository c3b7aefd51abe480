"""Square grid worlds with binary channels: collect hearts and avoid traps; reach a target.

The papers give neither grid sizes, nor episode lengths, nor the number of obstacles: they are
fields here, and docs/paper.md lists the values chosen. Actions: up, down, left, right; a move into
the border or an obstacle leaves the agent where it is.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.core.errors import require
from symla.core.types import Action, Discrete, Observation, PRNGKey, Scalar, Spec, Timestep

Cell = Int[Array, ""]  # row * size + column


class HeartsState(NamedTuple):
    """Positions, and the number of steps taken in the episode."""

    agent: Cell
    heart: Cell
    trap: Cell
    step: Int[Array, ""]


@dataclass(frozen=True)
class Hearts:
    """The heart pays +1, the trap -1; either terminates the episode.

    Agent, heart and trap start in distinct random cells. Observations are one channel for each of
    them, in that order: [3 * size * size]. An episode is truncated after `episode_length` steps.
    Raises SettingError for a grid below 2 x 2 or an episode below 1 step.
    """

    size: int = 3
    episode_length: int = 20

    def __post_init__(self):
        require(self.size >= 2, f"size must be at least 2, got {self.size}")
        require(self.episode_length >= 1, f"episode_length must be at least 1: {self}")

    @property
    def spec(self) -> Spec:
        return Spec(3 * self.size**2, Discrete(4), self.episode_length)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[HeartsState, Observation]:
        agent, heart, trap = distinct_cells(key, self.size**2, 3)
        state = HeartsState(agent, heart, trap, jnp.zeros((), jnp.int32))
        return state, self._observe(state)

    def step(self, key: PRNGKey, task: tuple[()], state: HeartsState, action: Action) -> Timestep:
        agent, step = move(state.agent, action, self.size), state.step + 1
        state = state._replace(agent=agent, step=step)
        on_heart, on_trap = agent == state.heart, agent == state.trap
        reward = on_heart.astype(jnp.float32) - on_trap.astype(jnp.float32)
        terminated = on_heart | on_trap
        truncated = (step >= self.episode_length) & ~terminated
        return Timestep(state, self._observe(state), reward, terminated, truncated)

    def advice(self, task: tuple[()], state: HeartsState) -> Bool[Array, " B"]:
        """Which actions begin a shortest way to the heart that avoids the trap."""
        blocked = jnp.arange(self.size**2) == state.trap
        # No way around a single cell is longer.
        steps = _steps_to(state.heart, blocked, self.size, longest=2 * self.size)
        return _shortest(steps, state.agent, self.size)

    def _observe(self, state: HeartsState) -> Observation:
        cells = self.size**2
        channels = (state.agent, state.heart, state.trap)
        return jnp.concatenate([_one_hot(cell, cells) for cell in channels])


class TargetState(NamedTuple):
    """Positions, and the number of steps taken in the episode."""

    agent: Cell
    target: Cell
    obstacles: Float[Array, " cells"]  # 1 where there is one, else 0
    step: Int[Array, ""]


@dataclass(frozen=True)
class Target:
    """The reward is the decrease of the Manhattan distance to the target, in cells.

    Reaching the target terminates the episode. Agent, target and obstacles start in distinct random
    cells. Observations are channels for agent, obstacles and target: [3 * size * size]. An episode
    is truncated after `episode_length` steps. Raises SettingError for a grid below 2 x 2, more
    obstacles than it has free cells, or an episode below 1 step.
    """

    size: int = 5
    obstacles: int = 3
    episode_length: int = 20

    def __post_init__(self):
        require(self.size >= 2, f"size must be at least 2, got {self.size}")
        require(self.episode_length >= 1, f"episode_length must be at least 1: {self}")
        most = self.size**2 - 2
        require(
            0 <= self.obstacles <= most,
            f"a grid of size {self.size} can have 0 to {most} obstacles, got {self.obstacles}",
        )

    @property
    def spec(self) -> Spec:
        return Spec(3 * self.size**2, Discrete(4), self.episode_length)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[TargetState, Observation]:
        agent, target, *blocked = distinct_cells(key, self.size**2, 2 + self.obstacles)
        obstacles = jnp.zeros(self.size**2)
        for cell in blocked:
            obstacles = obstacles + _one_hot(cell, self.size**2)
        state = TargetState(agent, target, obstacles, jnp.zeros((), jnp.int32))
        return state, self._observe(state)

    def step(self, key: PRNGKey, task: tuple[()], state: TargetState, action: Action) -> Timestep:
        ahead, step = move(state.agent, action, self.size), state.step + 1
        blocked = jnp.sum(state.obstacles * _one_hot(ahead, self.size**2)) > 0
        agent = jnp.where(blocked, state.agent, ahead)
        closer = self._distance(state.agent, state.target) - self._distance(agent, state.target)
        state = state._replace(agent=agent, step=step)
        terminated = agent == state.target
        truncated = (step >= self.episode_length) & ~terminated
        return Timestep(state, self._observe(state), closer, terminated, truncated)

    def advice(self, task: tuple[()], state: TargetState) -> Bool[Array, " B"]:
        """Which actions begin a shortest way to the target around the obstacles; all, where there
        is none."""
        steps = _steps_to(state.target, state.obstacles > 0, self.size, longest=self.size**2)
        return _shortest(steps, state.agent, self.size)

    def _observe(self, state: TargetState) -> Observation:
        cells = self.size**2
        agent, target = _one_hot(state.agent, cells), _one_hot(state.target, cells)
        return jnp.concatenate([agent, state.obstacles, target])

    def _distance(self, one: Cell, other: Cell) -> Scalar:
        rows = jnp.abs(one // self.size - other // self.size)
        columns = jnp.abs(one % self.size - other % self.size)
        return (rows + columns).astype(jnp.float32)


def move(cell: Cell, action: Action, size: int) -> Cell:
    """The cell above, below, left or right of `cell`; the same one at the border."""
    row, column = cell // size, cell % size
    down, up, right, left = (jnp.asarray(action == i, jnp.int32) for i in (1, 0, 3, 2))
    row = jnp.clip(row + down - up, 0, size - 1)
    column = jnp.clip(column + right - left, 0, size - 1)
    return row * size + column


def _shortest(steps: Int[Array, " cells"], agent: Cell, size: int) -> Bool[Array, " B"]:
    """Which actions lead from the agent's cell to where the fewest steps are left."""
    after = steps[jax.vmap(partial(move, agent, size=size))(jnp.arange(4))]
    return after == jnp.min(after)


def _steps_to(
    goal: Cell, blocked: Bool[Array, " cells"], size: int, longest: int
) -> Int[Array, " cells"]:
    """How many steps it is from each cell to the goal, around the blocked ones, where no way has
    more than `longest`; more than there are cells where there is none."""
    cells = jnp.arange(size * size)
    far = jnp.asarray(3 * size * size)
    neighbours = jax.vmap(lambda action: jax.vmap(partial(move, action=action, size=size))(cells))(
        jnp.arange(4)
    )

    def nearer(_: Any, steps: Int[Array, " cells"]) -> Int[Array, " cells"]:
        steps = jnp.minimum(steps, 1 + jnp.min(steps[neighbours], axis=0))
        return jnp.where(blocked, far, steps)

    return jax.lax.fori_loop(0, longest, nearer, jnp.where(cells == goal, 0, far))


def distinct_cells(key: PRNGKey, cells: int, count: int) -> list[Cell]:
    """`count` different ones of `cells` cells, uniformly.

    Without a sort, which would be slow: a lifetime computes a reset at every step.
    """
    uniform = jax.random.uniform(key, (count,))
    free = jnp.ones(cells, jnp.int32)
    drawn = []
    for i in range(count):
        left = cells - i
        rank = jnp.minimum((uniform[i] * left).astype(jnp.int32), left - 1)
        drawn.append(jnp.sum(jnp.cumsum(free) <= rank, dtype=jnp.int32))
        free = free - (jnp.arange(cells) == drawn[-1]).astype(jnp.int32)
    return drawn


def _one_hot(cell: Cell, cells: int) -> Float[Array, " cells"]:
    return (jnp.arange(cells) == cell).astype(jnp.float32)
