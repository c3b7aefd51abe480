"""Draws of every family are what they say, and teach something."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.errors import SettingError, UnknownNameError
from symla.environments import make
from symla.environments.random_tasks import SMALL_TABLES, RandomTasks, of_table
from symla.environments.random_tasks.mixture import LEAST_GAP
from symla.environments.random_tasks.solving import gap, random_value
from tests.environments.random_tasks.conftest import DRAWS, MIXTURE


def left_or_right(key, bounds):
    """A family of one's own: two states, in which action 0 pays in one and 1 in the other."""
    S, B = bounds.states, bounds.actions
    pays = jnp.arange(B)[None] == jnp.arange(S)[:, None]
    two = jnp.asarray(2, jnp.int32)
    return of_table(
        bounds, two, two, jnp.ones((S, B, S)), reward=pays.astype(jnp.float32), start=jnp.ones(S)
    )


def test_every_draw_is_whole(tasks):
    finite = [np.isfinite(x).all() for x in jax.tree.leaves(tasks) if x.dtype == np.float32]
    assert all(finite)
    table = tasks.table
    np.testing.assert_allclose(table.transition.sum(axis=3), 1.0, atol=1e-5)
    np.testing.assert_allclose(table.start.sum(axis=1), 1.0, atol=1e-5)
    assert (table.transition >= 0).all()
    assert (table.start >= 0).all()
    beyond = np.arange(MIXTURE.states) >= table.states[:, None]
    assert (table.start[beyond] == 0).all()
    leads = table.transition[~beyond]  # from those that are real
    reach = np.repeat(beyond[:, None], MIXTURE.states, 1)[~beyond]
    assert (np.moveaxis(leads, 1, 2)[reach] == 0).all()
    assert (table.odds >= 0).all()
    assert (table.odds <= 1).all()
    low, high = MIXTURE.episode
    assert tasks.limit.min() >= low
    assert tasks.limit.max() <= high
    assert set(table.states.tolist()) == set(range(1, MIXTURE.states + 1))
    assert (table.states >= 1).all()


def test_an_episode_begins_in_no_final_state_where_the_start_is_fixed(tasks):
    """Nor can all of it be final where nothing was ever earned."""
    fixed = tasks.table.start.max(axis=1) == 1.0
    ends = (tasks.table.start * tasks.table.final).sum(axis=1) > 0.5
    single = tasks.table.final.all(axis=1) | (tasks.table.final.sum(axis=1) <= 3)
    assert (~(fixed & ends) | single).all()


def test_what_is_seen_tells_states_apart_but_where_two_look_the_same(tasks):
    alike = np.array([len(set(shown.tolist())) < MIXTURE.states for shown in tasks.table.shown])
    distinct = np.zeros(DRAWS, bool)
    for i in range(DRAWS):
        rows = tasks.view.features[i][: tasks.table.states[i]].round(5)
        distinct[i] = len(np.unique(rows, axis=0)) == tasks.table.states[i]
    assert distinct[~alike].mean() > 0.93  # `aliased` is 0.05
    assert not distinct[alike].all()


def test_draws_teach_something(tasks):
    """A goal that can be reached, and is worth it: twice drawn, few are left that do not."""

    def lead(table, values):
        return gap(table, values, random_value(table, MIXTURE.discount))

    leads = np.asarray(jax.jit(jax.vmap(lead))(tasks.table, tasks.values))
    tabular = ~(tasks.system.start > 0).any(axis=1)
    assert (leads[tabular] > LEAST_GAP).mean() > 0.95


def test_a_family_of_ones_own(key):
    world = make(
        "random-tasks,families=['tests.environments.random_tasks.test_mixture:left_or_right']",
        actions=3, altered=0.0, dense=0.0, slippery=0.0,
    )  # fmt: skip
    task = jax.jit(world.sample_task)(key)
    assert task.table.states == 2
    rewards = np.asarray(task.table.reward[:2])
    assert sorted(rewards[0].tolist()) in ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    np.testing.assert_array_equal(rewards[0] + rewards[1], np.ones(3))  # each does one or the other


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"families": ()}, SettingError, "families"),
        ({"families": ("grids",)}, UnknownNameError, "'grid'"),
        ({"weights": (1.0,)}, SettingError, "weights"),
        ({"states": 3}, SettingError, "states"),
        ({"actions": 1}, SettingError, "actions"),
        ({"inputs": 8}, SettingError, "inputs must be at least 16"),
        ({"dense": 1.5}, SettingError, "dense is a probability"),
        ({"scale": (2.0, 1.0)}, SettingError, "scale"),
        ({"episode": (9, 3)}, SettingError, "episode"),
        ({"discount": 1.0}, SettingError, "discount"),
        ({"draws": 0}, SettingError, "draws"),
    ],
)
def test_settings_outside_their_ranges_are_refused(settings, error, said):
    with pytest.raises(error, match=said):
        RandomTasks(**settings)


def test_it_is_one_hot_where_every_draw_is():
    assert SMALL_TABLES.spec.one_hot
    assert not MIXTURE.spec.one_hot
    assert not replace(MIXTURE, observations=("one-hot",), irrelevant=0.0).spec.one_hot  # linear


def test_ends_are_good_neither_or_bad_in_equal_shares(tasks):
    table = tasks.table
    real = np.arange(table.final.shape[1]) < table.states[:, None]
    final = table.final & real
    has = final.any(axis=1)
    pays = np.where(final, table.arrival, 0.0).sum(axis=1)[has]
    shares = np.array([(pays > 1e-6).mean(), (np.abs(pays) <= 1e-6).mean(), (pays < -1e-6).mean()])
    np.testing.assert_allclose(shares, 1 / 3, atol=0.09)  # of some 300: three standard errors
