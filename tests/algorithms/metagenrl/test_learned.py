"""The learned objective: its size, its symmetries, and that it never reads what is not there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.metagenrl import LearnedObjective
from symla.core.errors import SettingError, SizeError
from symla.core.types import Continuous, Spec
from tests.algorithms.metagenrl.batches import actions_of, cut, seen_of

SPEC = Spec(3, Continuous(2))
PAPER = LearnedObjective()
SMALL = LearnedObjective(units=8)
losses_of = jax.jit(LearnedObjective.losses, static_argnums=0)
init = jax.jit(LearnedObjective.init_params, static_argnums=(0, 2))


def size(params):
    return sum(x.size for x in jax.tree.leaves(params))


@pytest.fixture(scope="module")
def params():
    return init(SMALL, jax.random.key(1), SPEC)


def test_its_size_is_that_of_the_paper(key):
    params = init(PAPER, key, SPEC)
    assert size(params) == 15_497
    assert tuple(map(size, params)) == (2_400, 1_480, 9_344, 2_273)


def test_it_does_not_matter_in_which_order_actions_are(key, params):
    seen = seen_of(key, [20, 7], actions=5)
    action, order = actions_of(key, seen), jnp.array([3, 0, 4, 1, 2])
    other = seen._replace(steps=seen.steps._replace(action=seen.steps.action[..., order]))
    losses = losses_of(SMALL, params, seen, action)
    np.testing.assert_allclose(
        losses_of(SMALL, params, other, action[..., order]), losses, rtol=1e-4, atol=1e-5
    )
    assert np.abs(losses_of(SMALL, params, seen, action[..., order]) - losses).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("actions", [1, 2, 17])
def test_one_set_of_parameters_fits_any_number_of_actions(key, params, actions):
    SMALL.check(params, Spec(40, Continuous(actions)))
    seen = seen_of(key, [20, 3], actions=actions)

    def total(action):
        return jnp.sum(jnp.where(seen.known, losses_of(SMALL, params, seen, action), 0.0))

    gradient = jax.grad(total)(actions_of(key, seen))
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient[seen.known]).max(axis=-1) > 0).all()  # of every step that there is
    assert (gradient[~seen.known] == 0).all()


def test_a_short_chunk_is_as_if_nothing_came_after_it(key):
    """The authors' program reads what pads a chunk as data, before the chunk itself."""
    objective = LearnedObjective(units=8, time=False)  # whose unit is the length of chunks
    params, seen = init(objective, key, SPEC), seen_of(key, [6], steps=20)
    action = actions_of(key, seen)
    alone = losses_of(objective, params, cut(seen, 0, 6), action[:, :6])
    padded = losses_of(objective, params, seen, action)
    np.testing.assert_allclose(padded[:, :6], alone, rtol=1e-4, atol=1e-5)
    every = seen._replace(steps=seen.steps._replace(known=jnp.ones_like(seen.known)))
    assert np.abs(losses_of(objective, params, every, action)[:, :6] - alone).max() > 1e-3


def test_a_step_sees_what_came_later_and_nothing_earlier(key, params):
    seen = seen_of(key, [20])
    action = actions_of(key, seen)

    def changed(at):
        return losses_of(SMALL, params, seen, action.at[0, at].add(0.3))

    difference = np.abs(changed(12) - losses_of(SMALL, params, seen, action))[0]
    assert (difference[:13] > 0).all()
    assert (difference[13:] == 0).all()


def _with(seen, **changes):
    return seen._replace(
        **{name: jnp.full_like(getattr(seen, name), x) for name, x in changes.items()}
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "fields"),
    [
        ({"value": False, "next_value": False}, ("value", "next_value")),
        ({"next_value": False}, ("next_value",)),
    ],
)
def test_inputs_are_left_out_singly(key, without, fields):
    objective = LearnedObjective(units=8, **without)
    seen, params = seen_of(key, [20, 9]), init(objective, key, SPEC)
    action = actions_of(key, seen)
    losses = losses_of(objective, params, seen, action)
    others = losses_of(objective, params, _with(seen, **dict.fromkeys(fields, 0.5)), action)
    np.testing.assert_array_equal(losses, others)
    assert size(params) == size(init(SMALL, key, SPEC)) - 8 * len(fields)


@pytest.mark.slow
def test_the_td_error_may_stand_for_the_reward(key):
    """Of which it is the same whatever number is added to all values, once discounted."""
    objective = LearnedObjective(units=8, value=False, next_value=False, reward="td-error")
    seen, params = seen_of(key, [20, 9], discount=1.0), init(objective, key, SPEC)
    action = actions_of(key, seen)
    moved = seen._replace(value=seen.value + 3.0, next_value=seen.next_value + 3.0)
    losses = losses_of(objective, params, seen, action)
    np.testing.assert_allclose(losses_of(objective, params, moved, action), losses, atol=1e-3)
    other = seen._replace(value=seen.value[:, ::-1])
    assert np.abs(losses_of(objective, params, other, action) - losses).max() > 1e-3


@pytest.mark.slow
def test_observations_may_be_inputs(key):
    objective = LearnedObjective(units=8, observation=True)
    params, seen = init(objective, key, SPEC), seen_of(key, [20])
    assert size(params) == size(init(SMALL, key, SPEC)) + 3 * 8
    assert np.isfinite(losses_of(objective, params, seen, actions_of(key, seen))).all()
    with pytest.raises(SizeError, match="another objective"):
        objective.check(params, Spec(4, Continuous(2)))


@pytest.mark.slow
def test_where_nothing_varies_or_nothing_is_known_all_is_finite(key, params):
    for lengths in ([20, 20], [0, 0], [1, 0]):
        seen = _with(seen_of(key, lengths), value=0.3, next_value=0.3)
        seen = seen._replace(steps=seen.steps._replace(reward=jnp.ones_like(seen.value)))

        def total(params, action, seen=seen):
            return jnp.sum(jnp.where(seen.known, losses_of(SMALL, params, seen, action), 0.0))

        found = jax.grad(total, argnums=(0, 1))(params, actions_of(key, seen))
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(found))


@pytest.mark.slow
def test_losses_are_limited(key):
    objective = LearnedObjective(units=8, limit=0.01)
    seen, params = seen_of(key, [20]), init(objective, key, SPEC)
    losses = losses_of(objective, params, seen, actions_of(key, seen))
    assert 0.005 < np.abs(losses).max() <= 0.01


def test_parameters_of_another_objective_are_refused(key, params):
    with pytest.raises(SizeError, match="these meta-parameters are of another objective"):
        LearnedObjective(units=8, time=False).check(params, SPEC)
    with pytest.raises(SizeError, match="give it the units and inputs"):
        PAPER.check(params, SPEC)


@pytest.mark.parametrize("settings", [{"units": 6}, {"limit": 0.0}])
def test_settings_outside_ranges_are_refused(settings):
    with pytest.raises(SettingError):
        LearnedObjective(**settings)
