"""Spaces and environments of other libraries, and of Gymnasium, that are not taken as they are."""

import gymnasium
import gymnax
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from symla.bridge import spaces
from symla.core.errors import SettingError
from symla.evaluation.evaluate import meta_test
from symla.rules.loading import hand_made
from tests.bridge.in_process import environments
from tests.bridge.registered import Mission


@pytest.fixture
def old_box():
    """Of a class in the package `gym`."""
    kind = type("Box", (), {"__module__": "gym.spaces.box", "__repr__": lambda self: "Box(4,)"})
    return kind()


def test_a_space_of_gym_is_told_from_one_of_gymnasium(old_box):
    words = r"Box\(4,\); it is of gym, not of Gymnasium: pip install 'shimmy\[gym-v26\]'"
    with pytest.raises(SettingError, match=words):
        spaces.observations(old_box)
    env = type("CartPoleEnv", (), {"observation_space": old_box, "action_space": Discrete(2)})()
    with pytest.raises(SettingError, match=r"CartPoleEnv: .*GymV26CompatibilityV0"):
        hand_made("random").agent(env)
    inherits = type("CartPoleEnv", (type("Env", (), {"__module__": "gym.core"}),), {})
    with pytest.raises(SettingError, match="of gym, not of Gymnasium"):
        meta_test(hand_made("random"), inherits())


@pytest.mark.parametrize("what", [gymnax.make("CartPole-v1"), gymnax.make("CartPole-v1")[0]])
def test_an_environment_of_gymnax_has_a_name_here(what):
    line = r"symla.meta_test\(rule, 'gymnax:CartPole-v1'\)"
    with pytest.raises(SettingError, match=line):
        meta_test(hand_made("random"), what)
    with pytest.raises(SettingError, match=line):
        hand_made("random").agent(what)


def test_many_environments_in_one_object():
    vector = gymnasium.make_vec("CartPole-v1", 3)
    with pytest.raises(SettingError, match=r"\(rule, 'gymnasium:CartPole-v1', lifetimes=3\)"):
        meta_test(hand_made("random"), vector)
    with pytest.raises(SettingError, match="make an agent for each"):
        hand_made("random").agent(vector)


def test_the_advice_for_a_dict_with_a_text_in_it_serves():
    """As a MiniGrid is made: a picture, a direction, and a mission of a class of its own."""

    class Grid(gymnasium.Env):
        observation_space = Dict(
            {"image": Box(0, 9, (2, 2), np.uint8), "facing": Discrete(4), "mission": Mission()}
        )
        action_space = Discrete(2)

        def reset(self, *, seed=None, options=None):
            return {"image": np.eye(2, dtype=np.uint8), "facing": 1, "mission": "go"}, {}

        def step(self, action):
            return self.reset()[0], 0.0, False, False, {}

    with pytest.raises(SettingError, match="FilterObservation and FlattenObservation"):
        hand_made("random").agent(Grid())
    kept = gymnasium.wrappers.FilterObservation(Grid(), ["image", "facing"])
    with pytest.raises(SettingError, match=r"wrap the environment in .*\.FlattenObservation$"):
        hand_made("random").agent(kept)
    flat = gymnasium.wrappers.FlattenObservation(kept)
    assert hand_made("random").agent(flat).spec.observation_size == 8
    assert environments(flat).reset([0]).sum() == 3
