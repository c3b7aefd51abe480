"""Help at test time: what an algorithm sees of rewards and observations."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.helped import Helped
from symla.core.errors import SettingError
from symla.core.types import Discrete, Percept, Spec


@dataclass(frozen=True)
class Notes:
    """Its state is the percept that it saw last."""

    def init_params(self, key, spec):
        return ()

    def init_state(self, params, key, spec):
        return spec.observation_size

    def step(self, params, state, percept, t, key):
        return jnp.zeros((), jnp.int32), percept


def seen(helped, spec, observations, rewards):
    """What `Notes` saw of each step."""
    key, no = jax.random.key(0), jnp.zeros((), bool)
    state, found = helped.init_state((), key, spec), []
    for observation, reward in zip(observations, rewards):
        shown = jnp.asarray(observation, jnp.float32)
        percept = Percept(shown, jnp.zeros(2), jnp.float32(reward), no, no, shown)
        _, state = helped.step((), state, percept, jnp.int32(0), key)
        found.append(state.inner)
    return found


def test_rewards_are_divided_by_the_largest_so_far():
    found = seen(Helped(Notes(), True), Spec(1, Discrete(2)), [[0.0]] * 4, [0.0, -4.0, 2.0, 8.0])
    np.testing.assert_allclose([x.reward for x in found], [0.0, -1.0, 0.5, 1.0])


def test_each_number_is_an_input_for_each_bin():
    helped, spec = Helped(Notes(), bins=4), Spec(2, Discrete(2))
    assert helped.init_state((), jax.random.key(0), spec).inner == 8
    observations = [[0.0, 5.0], [1.0, 5.0]] * 20
    found = seen(helped, spec, observations, [0.0] * 40)[-2:]
    for percept in found:
        np.testing.assert_array_equal(percept.observation.reshape(2, 4).sum(axis=1), 1.0)
    low, high = (percept.observation[:4] for percept in found)
    assert int(low.argmax()) < int(high.argmax())
    np.testing.assert_array_equal(found[0].observation[4:], found[1].observation[4:])


def test_what_is_one_hot_stays_as_it_is():
    found = seen(Helped(Notes(), bins=3), Spec(2, Discrete(2), one_hot=True), [[0.0, 1.0]], [0.0])
    np.testing.assert_array_equal(found[0].observation, [0.0, 1.0])


def test_what_is_not_known_stays_so():
    found = seen(Helped(Notes(), bins=2), Spec(1, Discrete(2)), [[jnp.nan]], [0.0])
    assert np.isnan(found[0].observation).all()


def test_one_bin_shows_nothing():
    with pytest.raises(SettingError, match="at least 2"):
        Helped(Notes(), bins=1)
