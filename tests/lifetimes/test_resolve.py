"""Whatever a person gives becomes an environment that lifetimes can be lived in."""

import functools
import json
from pathlib import Path

import gymnasium
import pytest

import symla
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core.errors import FaultyEnvironmentError, SettingError, UnknownNameError
from symla.environments import Hearts
from symla.lifetimes.resolve import make
from symla.rules.loading import hand_made
from symla.store import describe, rebuild
from tests.bridge import registered
from tests.bridge.in_process import environments
from tests.bridge.registered import Counting, Torques, WithMission, make_corridor
from tests.probes.environments import Corridor

MINE = "tests.bridge.registered:"


def lake(**settings):
    return gymnasium.make("FrozenLake-v1", **settings)


# What is given -> the name under which messages know it; what has one is made from it again.
GIVEN = [
    ("gymnasium:CartPole-v1", "gymnasium:CartPole-v1"),
    ("gymnasium:FrozenLake-v1, is_slippery = False", "gymnasium:FrozenLake-v1,is_slippery=false"),
    (f"{MINE}Counting", f"{MINE}Counting"),
    (f"{MINE}make_corridor", f"{MINE}make_corridor"),
    (gymnasium.spec("CartPole-v1"), "gymnasium:CartPole-v1"),
    (lake(), "gymnasium:FrozenLake-v1"),
    (lake(is_slippery=False), "gymnasium:FrozenLake-v1,is_slippery=false"),
    (lake(max_episode_steps=7), "gymnasium:FrozenLake-v1,max_episode_steps=7"),
    (lake(max_episode_steps=-1), "gymnasium:FrozenLake-v1,max_episode_steps=-1"),
    (lake(desc=["SF", "FG"]), "gymnasium:FrozenLake-v1,desc=['SF', 'FG']"),
    (Counting, f"{MINE}Counting"),
    (make_corridor, f"{MINE}make_corridor"),
    # By value: there is nothing to type.
    (gymnasium.wrappers.TimeLimit(lake(), 5), "gymnasium:FrozenLake-v1,max_episode_steps=5"),
    (gymnasium.wrappers.RescaleAction(gymnasium.make("Pendulum-v1"), -1, 1), "Pendulum-v1"),
    (Torques(), "Torques"),
    (lambda: Counting(), "lambda"),
    (functools.partial(WithMission, size=3), "WithMission"),
]


@pytest.mark.parametrize(("what", "name"), GIVEN, ids=[name for _, name in GIVEN])
def test_of_gymnasium(what, name):
    made = make(what, 9.0)
    assert (made.name, made.time_limit) == (name, 9.0)
    assert hash(made) == hash(made)
    assert make(made) == made
    if made.source is None:
        assert make(name, 9.0) == made


def test_a_copy_is_made_as_the_original_was():
    limited = gymnasium.wrappers.TimeLimit(lake(is_slippery=False), 5)
    scaled = gymnasium.wrappers.TransformReward(limited, lambda reward: 2 * reward)
    made = environments(scaled)
    assert made.sizes.episode_length == 5
    assert "TransformReward<TimeLimit" in str(made.envs[0])
    own = Torques()
    own.note = "kept"
    assert environments(own, 2).envs[1].note == "kept"


def test_settings_of_what_is_made():
    assert make(WithMission, size=3).name == f"{MINE}WithMission,size=3"
    assert make("gymnasium:FrozenLake-v1,map_name=8x8", map_name="4x4").arguments == {
        "map_name": "4x4"
    }
    assert make(GymnasiumEnvironment("FrozenLake-v1", 3.0), is_slippery=True) == make(
        "gymnasium:FrozenLake-v1,is_slippery=true", 3.0
    )
    assert environments(lambda **settings: lake(**settings), is_slippery=False).sizes.action == 4


def test_in_jax():
    assert make("hearts,size=4") == make("hearts", size=4) == make(Hearts(4)) == Hearts(4)
    assert make(Hearts, size=4) == make(Hearts(), size=4) == Hearts(4)
    assert make("tests.probes.environments:Corridor,cells=9") == make(Corridor, cells=9)
    assert symla.make is make


@pytest.mark.parametrize(
    ("what", "kind", "words"),
    [
        (3, SettingError, "an environment is a name .*, or a function that makes one; got 3"),
        (None, SettingError, "got None"),
        (int, SettingError, "int is no environment: it does not inherit from gymnasium.Env"),
        (f"{MINE}Countin", UnknownNameError, "did you mean 'Counting'"),
        (f"{MINE}EPISODE", SettingError, "the int lacks spec, sample_task, reset, step"),
        (f"{MINE}Mission", SettingError, "the class lacks spec, sample_task, reset, step"),
        ("gymnasium:CartPole-v1,config", SettingError, "'config' .* is no setting"),
        ("no_such_module:World", SettingError, "No module named 'no_such_module'"),
    ],
    ids=str,
)
def test_what_is_no_environment(what, kind, words):
    with pytest.raises(kind, match=words):
        make(what)


def test_a_setting_that_has_no_text():
    with pytest.raises(SettingError, match=r"config=.* cannot be part of a name"):
        make("gymnasium:CartPole-v1", config=object())


def test_a_run_keeps_what_has_a_name():
    """And says of anything else that it was an object."""
    known = {"Gymnasium": GymnasiumEnvironment}

    def stored(environment):
        kept = json.loads(json.dumps(describe(environment, known)))
        return rebuild(kept, known, Path("config.json"))

    for name in ("gymnasium:FrozenLake-v1,is_slippery=false", f"{MINE}WithMission,size=3"):
        assert stored(make(name)) == make(name)
    with pytest.raises(SettingError, match="lambda was handed over as an object"):
        stored(make(lambda: Counting())).pickled()


def test_it_runs_in_processes():
    """By value, by the name of a class, and by id: what the ones above are in the end."""
    for what, reward in ((lambda: Counting(), 12), (f"{MINE}Counting", 12), (lake(), None)):
        result = symla.meta_test(hand_made("random"), what, 2, 6)
        assert reward is None or result.return_.mean == reward


def test_a_fault_is_named_with_the_line_of_the_persons_file():
    with pytest.raises(FaultyEnvironmentError) as caught:
        symla.meta_test(hand_made("random"), registered.Raises, 2, 9)
    line = registered.Raises.modified.__code__.co_firstlineno + 1
    assert f"{MINE}Raises: raised RuntimeError: the motor is on fire" in str(caught.value)
    assert f"(tests/bridge/registered.py, line {line}). It was lifetime 1" in str(caught.value)
