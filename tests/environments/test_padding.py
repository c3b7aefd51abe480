"""Padding: zeros after observations, actions that are ignored, and one size for all."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symla
from symla.algorithms import MetaRNN, SymLA
from symla.core.errors import SettingError, SizeError
from symla.core.types import Continuous, Discrete, Spec
from symla.environments import Associations, LinearSystem, Padded, PointNavigation
from symla.environments.padding import padded, padded_to_largest
from symla.experiments.fitting import of_one_size
from symla.experiments.recipes import Recipe
from symla.lifetimes.resolve import make
from symla.outer import LifetimePPO
from symla.rules.rule import Rule

POINT, LINE = PointNavigation(episode_length=5), LinearSystem(3, 1, episode_length=5)


def test_what_is_added_shows_nothing_and_does_nothing(key):
    plain, more = LINE, Padded(LINE, 5, 3)
    assert more.spec == Spec(5, Continuous(3), 5)
    task = more.sample_task(key)
    jax.tree.map(np.testing.assert_array_equal, task, plain.sample_task(key))
    (state, seen), (other, less) = more.reset(key, task), plain.reset(key, task)
    np.testing.assert_array_equal(seen, [*less, 0.0, 0.0])
    found = more.step(key, task, state, jnp.array([0.5, -1.0, 1.0]))
    expected = plain.step(key, task, other, jnp.array([0.5]))
    np.testing.assert_array_equal(found.observation, [*expected.observation, 0.0, 0.0])
    assert found.reward == expected.reward
    np.testing.assert_array_equal(more.advice(task, state)[1:], 0.0)
    np.testing.assert_array_equal(more.advice(task, state)[:1], plain.advice(task, other))


def test_discrete_actions_are_repeated(key):
    plain, more = Associations(2, 2), Padded(Associations(2, 2), 3, 5)
    assert more.spec.action == Discrete(5)
    task = more.sample_task(key)
    state, _ = more.reset(key, task)
    rewards = [float(more.step(key, task, state, jnp.int32(a)).reward) for a in range(5)]
    assert rewards == [rewards[0], rewards[1]] * 2 + [rewards[0]]
    advised = np.asarray(more.advice(task, state))
    inside = plain.advice(task, state)
    wanted = inside[np.arange(5) % 2] if inside.ndim else np.arange(5) % 2 == inside
    np.testing.assert_array_equal(advised, wanted)


def test_less_than_there_is_is_refused():
    with pytest.raises(SettingError, match="never less"):
        Padded(LINE, 2, 1)


def test_a_meta_rnn_is_trained_on_padded_environments_and_symla_as_they_are():
    worlds, probes = (POINT, LINE), (PointNavigation(1, episode_length=5),)
    assert of_one_size(SymLA(), worlds, probes) == (worlds, probes)
    assert of_one_size(MetaRNN(4), (POINT, POINT), ()) == ((POINT, POINT), ())
    found, others = of_one_size(MetaRNN(4), worlds, probes)
    assert found == (Padded(POINT, 3, 2), Padded(LINE, 3, 2))
    assert others == (Padded(*probes, 3, 2),)
    with pytest.raises(SizeError, match="at most 3 and 2, to which smaller"):
        of_one_size(MetaRNN(4), worlds, (LinearSystem(4, 2),))


@pytest.mark.parametrize(
    "worlds", [(POINT, Associations(2, 2)), (POINT, make("gymnasium:CartPole-v1"))]
)
def test_what_cannot_be_padded_is_refused(worlds):
    with pytest.raises(SizeError, match="have both"):
        of_one_size(MetaRNN(4), worlds)


def test_an_environment_on_the_host_is_not_padded():
    with pytest.raises(SizeError, match="on the host"):
        padded(make("gymnasium:CartPole-v1"), 5, 2)


def test_a_rule_of_padded_environments_is_tested_in_any_that_is_not_larger(key):
    """Its card keeps the sizes."""
    worlds = of_one_size(MetaRNN(4), (POINT, LINE))[0]
    assert padded_to_largest([world.spec for world in worlds]) == (3, 2)
    recipe = Recipe(MetaRNN(4), worlds, LifetimePPO(), 2, 10, 1, 0)
    card = recipe.card()
    assert (card["padded"], card["environment"]) == ([3, 2], "point-navigation,episode_length=5")
    assert "padded" not in replace(recipe, environments=(LINE,)).card()
    rule = Rule(MetaRNN(4), MetaRNN(4).init_params(key, worlds[0].spec), card)
    for world in (PointNavigation(1), LINE, "linear-system"):
        assert symla.meta_test(rule, world, 2, 5).return_.mean < 0
    with pytest.raises(SizeError, match="train on it, too"):
        symla.meta_test(rule, LinearSystem(4, 2), 2, 5)
    alone = Rule(MetaRNN(4), rule.params, {})
    with pytest.raises(SizeError, match="cannot change size"):
        symla.meta_test(alone, PointNavigation(1), 2, 5)
