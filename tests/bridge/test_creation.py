"""What a worker makes of a name: settings, wrappers, flat observations; missing packages."""

import sys
import warnings

import gymnasium
import numpy as np
import pytest

from symla.bridge import worker
from symla.core.errors import SettingError, SymlaError, UnknownNameError
from tests.bridge.in_process import environments

MINE = "gymnasium:tests.bridge.registered:"
WRAPPERS = "wrappers=tests.bridge.registered:"


def first_observation(name):
    return environments(name).reset([3])[0].tolist()


def test_settings_are_arguments_of_gymnasium_make():
    made = environments("gymnasium:FrozenLake-v1,is_slippery=false,map_name=8x8", 2)
    assert made.sizes == (
        64,
        4,
        False,
        100,
        True,
    )  # the largest number of steps stays that of the id
    lake = made.envs[1].unwrapped
    assert lake.spec.kwargs == {"map_name": "8x8", "is_slippery": False}
    assert made.envs[0] is not made.envs[1]
    rows = environments("gymnasium:FrozenLake-v1", desc=["SF", "FG"], max_episode_steps=7)
    assert rows.sizes == (4, 4, False, 7, True)


def test_a_class_of_ones_own_has_settings_too():
    name = "tests.bridge.registered:WithMission,size=3,wrappers=tests.bridge.registered:Position"
    made = environments(name)
    made.reset([0])
    step = made.step(np.array([1]), np.array([0]))
    assert step.observation.tolist() == [[0, 3]]


def test_wrappers_are_applied_in_their_order_then_observations_are_flattened():
    assert environments(f"{MINE}DictSpace-v0,flatten=true").sizes.observation == 2
    name = f"{MINE}WithMission-v0,{WRAPPERS}Position+tests.bridge.registered:doubled"
    assert environments(name).observations.size == 2
    assert first_observation(f"{MINE}TupleSpace-v0,flatten=true") == [1] + [0] * 8 + [1, 0, 0, 0]
    blackjack = environments("gymnasium:Blackjack-v1,flatten=true")
    assert blackjack.sizes == (45, 2, False, None, False)
    assert blackjack.reset([1])[0].sum() == 3  # a number of each of the three


REFUSED = {
    f"{MINE}Counting-v0,size=3": "setting of gymnasium:.*Counting-v0 named 'size'",
    "gymnasium:FrozenLake-v1,slippery=false": "did you mean 'is_slippery'",
    "tests.bridge.registered:WithMission,siz=3": "'siz': did you mean 'size'",
    f"{MINE}TupleSpace-v0": rf"Tuple\(.*\); flatten it: {MINE}TupleSpace-v0,flatten=true$",
    f"{MINE}DictSpace-v0,max_episode_steps=9": "max_episode_steps=9,flatten=true$",
    f"{MINE}TextSpace-v0": "flatten it",
    f"{MINE}WithMission-v0": r"'mission' \(Mission\) in it.*WithMission-v0,wrappers=package",
    f"{MINE}WithMission-v0,flatten=true": r"'mission' \(Mission\) in it cannot be made numbers",
    f"{MINE}SequenceSpace-v0": "supported are Box, Discrete,.*SequenceSpace-v0,wrappers=",
    f"{MINE}Counting-v0,{WRAPPERS}Positio": "no wrapper in tests.bridge.registered named 'Positio'",
    f"{MINE}Counting-v0,wrappers=no_such:W": "no_such:W: No module named 'no_such'",
    f"{MINE}Counting-v0,wrappers=Position": "'Position' names no wrapper: it has the form package.",
    f"{MINE}DictSpace-v0,flatten=yes": "flatten must be true or false, got 'yes'",
    f"{MINE}Unbounded-v0": r"no bounds for number 1.*TransformAction",
    f"{MINE}TooManyCombinations-v0": "8192 combinations, more than 4096:.*ActionWrapper",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_made_says_what_can(name):
    with pytest.raises((SettingError, UnknownNameError), match=REFUSED[name]) as caught:
        environments(name)
    assert "\n" not in str(caught.value)


def test_advice_on_actions_without_bounds_serves():
    """The words of the message, as code."""

    def bounded(env):
        return gymnasium.wrappers.TransformAction(
            env, lambda action: action, gymnasium.spaces.Box(-1.0, 1.0, env.action_space.shape)
        )

    with pytest.raises(SettingError, match="and no ClipAction"):
        environments(gymnasium.wrappers.ClipAction(gymnasium.make("Pendulum-v1")))
    pendulum = environments(bounded(gymnasium.make("Pendulum-v1")))
    pendulum.reset([0])
    assert pendulum.step(np.array([[0.5]], np.float32), np.array([0])).reward < 0


def test_the_final_observation_of_an_episode_is_not_lost():
    counting = environments(f"{MINE}Counting-v0", 2)
    counting.reset([0, 1])
    for step in range(1, 4):
        now = counting.step(np.array([0, 1]), np.array([5, 6]))
        assert now.final_observation.tolist() == [[0, step]] * 2
        assert now.observation.tolist() == ([[1, 0]] if step == 3 else [[0, step]]) * 2


@pytest.mark.parametrize(
    ("package", "name", "extra"),
    [("mujoco", "HalfCheetah-v5", "mujoco"), ("Box2D", "LunarLander-v3", "box2d")],
)
def test_a_package_of_an_extra_that_is_missing(package, name, extra, monkeypatch):
    for module in [m for m in sys.modules if m.startswith(f"gymnasium.envs.{extra}")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(Exception) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        environments(f"gymnasium:{name}")
    assert f"pip install 'symla[{extra}]'" in worker._describe(caught.value)


def test_a_time_limit_for_an_environment_already_made():
    with pytest.raises(SymlaError, match="takes no settings"):
        environments(NeverRegistered(), max_episode_steps=3)


class NeverRegistered(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Discrete(2)
