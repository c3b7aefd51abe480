"""Grids with objects and the delayed chain, against cases computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.errors import SettingError
from symla.environments import DelayedChain, ObjectGrids
from symla.environments.object_grids import KINDS, GridState, GridTask

DOWN, RIGHT = (jnp.asarray(a, jnp.int32) for a in (1, 3))
GRID = ObjectGrids(3)


def task(*values, cells=(1, 2, 3, 4)):
    """Objects in the cells of a 3 x 3 grid."""
    count = len(values)
    padded = jnp.asarray([*values, *[(0.0, 0.0, 0.0)] * (4 - count)])
    present = jnp.arange(4) < count
    return GridTask(jnp.asarray(cells, jnp.int32), present, padded, jnp.asarray(5, jnp.int32))


def at(cell, there, step=0):
    return GridState(jnp.asarray(cell, jnp.int32), jnp.asarray(there), jnp.asarray(step, jnp.int32))


def test_an_object_pays_and_is_gone():
    where = task((1.0, 0.0, 0.0), (-0.5, 0.0, 0.0))
    found = GRID.step(jax.random.key(0), where, at(0, [True, True, False, False]), RIGHT)
    assert float(found.reward) == 1.0
    assert found.state.there.tolist() == [False, True, False, False]
    assert not found.terminated
    assert int(jnp.argmax(found.observation)) == 1 * 16 + 0b10
    again = GRID.step(jax.random.key(0), where, at(0, [False, True, False, False]), RIGHT)
    assert float(again.reward) == 0.0


def test_it_ends_the_episode_and_appears_again_with_its_probabilities():
    where = task((1.0, 0.3, 0.2))
    keys = jax.random.split(jax.random.key(0), 4000)

    def share(state, action, of):
        step = jax.vmap(lambda key: GRID.step(key, where, state, action))
        return float(jnp.mean(of(step(keys))))

    met = share(at(0, [True, False, False, False]), RIGHT, lambda x: x.terminated)
    np.testing.assert_allclose(met, 0.3, atol=0.03)
    gone = at(0, [False] * 4)
    back = share(gone, DOWN, lambda x: x.state.there[:, 0])
    np.testing.assert_allclose(back, 0.2, atol=0.03)
    assert share(gone, DOWN, lambda x: x.state.there[:, 1]) == 0  # none that the kind lacks
    assert share(gone, DOWN, lambda x: x.terminated) == 0


def test_episodes_are_as_long_as_their_kind_has_them():
    where = task((1.0, 0.0, 0.0))
    lengths = [GRID.step(jax.random.key(0), where, at(8, [True] * 4, t), DOWN) for t in (3, 4)]
    assert [bool(x.truncated) for x in lengths] == [False, True]


@pytest.mark.slow
def test_tasks_are_of_all_kinds_with_objects_in_different_cells():
    grids = ObjectGrids(4, ("sparse", "long"))
    tasks = jax.vmap(grids.sample_task)(jax.random.split(jax.random.key(0), 300))
    assert set(tasks.length.tolist()) == {50, 1000}
    sparse = np.asarray(tasks.length) == 50
    assert (np.asarray(tasks.present).sum(axis=1) == np.where(sparse, 2, 4)).all()
    np.testing.assert_allclose(np.asarray(tasks.values)[sparse][0, :2], KINDS["sparse"][0])
    assert all(len(set(row)) == 4 for row in np.asarray(tasks.cells).tolist())
    first = jax.tree.map(lambda x: x[0], tasks)
    reset = jax.vmap(grids.reset, (0, None))
    state, _ = reset(jax.random.split(jax.random.key(1), 200), first)
    there = set(np.asarray(first.cells)[np.asarray(first.present)].tolist())
    assert set(state.agent.tolist()) == set(range(16)) - there


@pytest.mark.parametrize("noise", [False, True])
def test_the_first_action_of_the_chain_decides(noise):
    chain = DelayedChain(4, noise)
    for right in (0, 1):
        good = jnp.asarray(right, jnp.int32)
        for first in (0, 1):
            state, seen = chain.reset(jax.random.key(0), good)
            rewards, states = [], [int(jnp.argmax(seen))]
            for step in range(4):
                action = jnp.asarray(first if step == 0 else 1 - first, jnp.int32)
                found = chain.step(jax.random.key(step), good, state, action)
                state = found.state
                rewards.append(float(found.reward))
                states.append(int(jnp.argmax(found.observation)))
                assert bool(found.terminated) == (step == 3)
            assert rewards[-1] == (1 if first == right else -1)
            assert {abs(x) for x in rewards[:-1]} == {1.0 if noise else 0.0}
            assert states == ([0, 5, 6, 7, 8] if first == right else [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ObjectGrids(2), "size"),
        (lambda: ObjectGrids(kinds=()), "kinds"),
        (lambda: ObjectGrids(kinds=("odd",)), "kinds must be some of dense"),
        (lambda: DelayedChain(1), "length"),
    ],
)
def test_settings_outside_ranges_are_refused(make, message):
    with pytest.raises(SettingError, match=message):
        make()
