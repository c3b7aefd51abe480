"""Grid worlds against cases computed by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.errors import SettingError
from symla.environments import Hearts, Target
from symla.environments.grid_worlds import HeartsState, TargetState, distinct_cells, move

UP, DOWN, LEFT, RIGHT = (jnp.asarray(a, jnp.int32) for a in range(4))


def cell(row, column, size):
    return jnp.asarray(row * size + column, jnp.int32)


def zero():
    return jnp.zeros((), jnp.int32)


@pytest.mark.parametrize(
    ("action", "row", "column"), [(UP, 0, 1), (DOWN, 2, 1), (LEFT, 1, 0), (RIGHT, 1, 2)]
)
def test_actions_move_as_named(action, row, column):
    assert move(cell(1, 1, 3), action, 3) == cell(row, column, 3)


def test_the_border_blocks():
    assert move(cell(0, 0, 3), UP, 3) == move(cell(0, 0, 3), LEFT, 3) == cell(0, 0, 3)
    assert move(cell(2, 2, 3), DOWN, 3) == move(cell(2, 2, 3), RIGHT, 3) == cell(2, 2, 3)


def test_cells_are_distinct_and_uniform():
    drawn = jax.vmap(lambda key: jnp.stack(distinct_cells(key, 9, 4)))
    cells = np.asarray(drawn(jax.random.split(jax.random.key(0), 9000)))
    assert all(len(set(row)) == 4 for row in cells)
    for column in cells.T:
        counts = np.bincount(column, minlength=9)
        assert np.all(np.abs(counts - 1000) < 5 * np.sqrt(1000))


def test_the_heart_pays_and_the_trap_costs(key):
    environment = Hearts(size=3)
    state = HeartsState(cell(1, 1, 3), heart=cell(1, 2, 3), trap=cell(0, 1, 3), step=zero())
    heart, trap, neither = (environment.step(key, (), state, a) for a in (RIGHT, UP, DOWN))
    assert [float(t.reward) for t in (heart, trap, neither)] == [1.0, -1.0, 0.0]
    assert [bool(t.terminated) for t in (heart, trap, neither)] == [True, True, False]


def test_channels_show_agent_heart_and_trap(key):
    state = HeartsState(cell(1, 1, 3), heart=cell(1, 2, 3), trap=cell(0, 1, 3), step=zero())
    observation = Hearts(size=3).step(key, (), state, DOWN).observation
    assert np.flatnonzero(observation).tolist() == [7, 9 + 5, 18 + 1]


@pytest.mark.parametrize("size", [2, 3])
def test_advice_is_a_shortest_way_around_the_trap(size):
    """Beside a breadth-first search, wherever agent, heart and trap may stand."""
    cells = range(size * size)
    goes = [[int(move(jnp.asarray(c), jnp.asarray(a), size)) for a in range(4)] for c in cells]
    where = [p for p in itertools.product(cells, repeat=3) if len(set(p)) == 3]
    advice = jax.jit(
        jax.vmap(lambda p: Hearts(size).advice((), HeartsState(p[0], p[1], p[2], zero())))
    )(jnp.asarray(where))
    for (agent, heart, trap), found in zip(where, np.asarray(advice), strict=True):
        steps = steps_to(heart, {trap}, goes)
        assert found.tolist() == [steps.get(c, np.inf) == steps[agent] - 1 for c in goes[agent]]


def test_advice_is_a_shortest_way_around_obstacles(key):
    """Beside a breadth-first search; where there is no way, every action is as good."""
    environment = Target(size=4, obstacles=7)
    goes = [[int(move(jnp.asarray(c), jnp.asarray(a), 4)) for a in range(4)] for c in range(16)]
    states = jax.vmap(lambda k: environment.reset(k, ())[0])(jax.random.split(key, 200))
    advice = jax.vmap(lambda state: environment.advice((), state))(states)
    ways = 0
    for agent, target, obstacles, found in zip(
        *map(np.asarray, (states.agent, states.target, states.obstacles, advice)), strict=True
    ):
        blocked = set(np.flatnonzero(obstacles).tolist())
        steps = steps_to(int(target), blocked, goes)
        if agent in steps:
            ways += 1
            nearer = [steps.get(c, np.inf) == steps[int(agent)] - 1 for c in goes[agent]]
            assert found.tolist() == nearer
        elif not any(c in steps for c in goes[agent]):
            assert found.all()
    assert 50 < ways < 200


def steps_to(goal, blocked, goes):
    """By cell, around the blocked ones; cells without a way are not there."""
    steps, reached = {goal: 0}, [goal]
    for cell in reached:  # grows on the way
        new = [c for c in range(len(goes)) if cell in goes[c] and not {c} & {*steps, *blocked}]
        steps.update(dict.fromkeys(new, steps[cell] + 1))
        reached += new
    return steps


def test_coming_closer_pays_and_obstacles_block(key):
    environment = Target(size=3, obstacles=1)
    centre = (jnp.arange(9) == 4).astype(jnp.float32)
    state = TargetState(cell(1, 0, 3), target=cell(2, 2, 3), obstacles=centre, step=zero())
    down, up, right = (environment.step(key, (), state, a) for a in (DOWN, UP, RIGHT))
    assert [float(t.reward) for t in (down, up, right)] == [1.0, -1.0, 0.0]
    assert right.state.agent == state.agent
    at_target = environment.step(key, (), state._replace(agent=cell(2, 1, 3)), RIGHT)
    assert at_target.terminated
    assert at_target.reward == 1.0


@pytest.mark.parametrize("environment", [Hearts(size=3), Target(size=4, obstacles=3)])
def test_an_episode_is_truncated_at_its_length(environment, key):
    state, _ = environment.reset(key, ())
    state = state._replace(step=jnp.asarray(environment.episode_length - 1, jnp.int32))
    state = state._replace(agent=cell(0, 0, environment.size))
    timestep = environment.step(key, (), state, UP)
    assert timestep.truncated | timestep.terminated
    assert not (timestep.truncated & timestep.terminated)


def test_impossible_grids_are_refused():
    with pytest.raises(SettingError, match="can have 0 to 7 obstacles"):
        Target(size=3, obstacles=8)
    with pytest.raises(SettingError, match="size must be at least 2"):
        Hearts(size=1)
