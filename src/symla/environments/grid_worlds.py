"""Square grid worlds with binary channels: collect hearts and avoid traps; walk to a target.

Room: environments. The papers give neither grid sizes, nor episode lengths, nor the number of
obstacles: they are fields here, and docs/paper.md says what we chose. Actions: up, down, left,
right; walking into a wall or an obstacle is standing still.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.errors import require
from symla.core.types import Action, Observation, PRNGKey, Scalar, Spec, Timestep

Cell = Int[Array, ""]  # row * size + column


class Hunt(NamedTuple):
    agent: Cell
    heart: Cell
    trap: Cell
    step: Int[Array, ""]


@dataclass(frozen=True)
class Hearts:
    """A heart pays +1, a trap -1; either ends the episode. All start in distinct random cells.

    Channels: agent, heart, trap. Raises SettingError for a grid below 2 x 2.
    """

    size: int = 3
    episode_length: int = 20

    def __post_init__(self):
        require(self.size >= 2, f"size must be at least 2, got {self.size}")
        require(self.episode_length >= 1, f"episode_length must be at least 1: {self}")

    @property
    def spec(self) -> Spec:
        return Spec(3 * self.size**2, 4, self.episode_length)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[Hunt, Observation]:
        agent, heart, trap = distinct_cells(key, self.size**2, 3)
        state = Hunt(agent, heart, trap, jnp.zeros((), jnp.int32))
        return state, self._observe(state)

    def step(self, key: PRNGKey, task: tuple[()], state: Hunt, action: Action) -> Timestep:
        agent, step = walk(state.agent, action, self.size), state.step + 1
        state = state._replace(agent=agent, step=step)
        found, fell = agent == state.heart, agent == state.trap
        reward = found.astype(jnp.float32) - fell.astype(jnp.float32)
        terminated = found | fell
        truncated = (step >= self.episode_length) & ~terminated
        return Timestep(state, self._observe(state), reward, terminated, truncated)

    def _observe(self, state: Hunt) -> Observation:
        return channels(self.size, state.agent, state.heart, state.trap)


class Walk(NamedTuple):
    agent: Cell
    target: Cell
    obstacles: Float[Array, " cells"]  # 1 where one stands
    step: Int[Array, ""]


@dataclass(frozen=True)
class Target:
    """Reward: by how many cells the agent came closer to the target (Manhattan distance).

    Arriving ends the episode. Everything starts in distinct random cells. Channels: agent,
    obstacles, target. Raises SettingError if the grid is too small for what stands in it.
    """

    size: int = 5
    obstacles: int = 3
    episode_length: int = 20

    def __post_init__(self):
        require(self.size >= 2, f"size must be at least 2, got {self.size}")
        require(self.episode_length >= 1, f"episode_length must be at least 1: {self}")
        room = self.size**2 - 2
        require(
            0 <= self.obstacles <= room,
            f"a grid of size {self.size} has room for 0 to {room} obstacles, got {self.obstacles}",
        )

    @property
    def spec(self) -> Spec:
        return Spec(3 * self.size**2, 4, self.episode_length)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[Walk, Observation]:
        agent, target, *stones = distinct_cells(key, self.size**2, 2 + self.obstacles)
        obstacles = jnp.zeros(self.size**2)
        for stone in stones:
            obstacles = obstacles + _mark(stone, self.size**2)
        state = Walk(agent, target, obstacles, jnp.zeros((), jnp.int32))
        return state, self._observe(state)

    def step(self, key: PRNGKey, task: tuple[()], state: Walk, action: Action) -> Timestep:
        ahead, step = walk(state.agent, action, self.size), state.step + 1
        blocked = jnp.sum(state.obstacles * _mark(ahead, self.size**2)) > 0
        agent = jnp.where(blocked, state.agent, ahead)
        closer = self._distance(state.agent, state.target) - self._distance(agent, state.target)
        state = state._replace(agent=agent, step=step)
        terminated = agent == state.target
        truncated = (step >= self.episode_length) & ~terminated
        return Timestep(state, self._observe(state), closer, terminated, truncated)

    def _observe(self, state: Walk) -> Observation:
        cells = self.size**2
        agent, target = _mark(state.agent, cells), _mark(state.target, cells)
        return jnp.concatenate([agent, state.obstacles, target])

    def _distance(self, one: Cell, other: Cell) -> Scalar:
        rows = jnp.abs(one // self.size - other // self.size)
        columns = jnp.abs(one % self.size - other % self.size)
        return (rows + columns).astype(jnp.float32)


def walk(cell: Cell, action: Action, size: int) -> Cell:
    """One cell up, down, left or right, unless the grid ends there."""
    row, column = cell // size, cell % size
    down, up, right, left = (jnp.asarray(action == i, jnp.int32) for i in (1, 0, 3, 2))
    row = jnp.clip(row + down - up, 0, size - 1)
    column = jnp.clip(column + right - left, 0, size - 1)
    return row * size + column


def distinct_cells(key: PRNGKey, cells: int, count: int) -> list[Cell]:
    """`count` different cells, uniformly. No sort: a reset is computed at every step."""
    uniform = jax.random.uniform(key, (count,))
    free = jnp.ones(cells, jnp.int32)
    drawn = []
    for i in range(count):
        left = cells - i
        rank = jnp.minimum((uniform[i] * left).astype(jnp.int32), left - 1)
        drawn.append(jnp.sum(jnp.cumsum(free) <= rank, dtype=jnp.int32))
        free = free - (jnp.arange(cells) == drawn[-1]).astype(jnp.int32)
    return drawn


def channels(size: int, *cells: Cell) -> Observation:
    """One channel a thing, 1 where it stands, one after the other."""
    return jnp.concatenate([_mark(cell, size**2) for cell in cells])


def _mark(cell: Cell, cells: int) -> Float[Array, " cells"]:
    return (jnp.arange(cells) == cell).astype(jnp.float32)
