"""Names of environments in JAX: settings after commas, classes of a person's own, and back."""

import pytest

from symla.core.errors import SettingError, UnknownNameError
from symla.environments import (
    ENVIRONMENTS,
    Associations,
    Gymnax,
    Hearts,
    IndependentBandit,
    Permuted,
    make,
    name_of,
)
from tests.probes.environments import Corridor

OWN = "tests.probes.environments:"
NAMED = {
    "hearts,size=4": Hearts(size=4),
    "hearts-2x2,size=3,episode_length=5": Hearts(3, 5),
    "associations,contexts=2,stay=0.5": Associations(2, stay=0.5),
    "bandit-arms-7": IndependentBandit(7),
    "gymnax:CartPole-v1,max_steps_in_episode=100": Gymnax(
        "CartPole-v1", (("max_steps_in_episode", 100),)
    ),
    f"{OWN}Corridor": Corridor(),
    f"{OWN}Corridor,cells=9": Corridor(9),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_name_with_settings(name):
    assert make(name) == NAMED[name]
    assert make(name_of(NAMED[name])) == NAMED[name]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_name_comes_back(name):
    assert make(name_of(make(name))) == make(name)


def test_settings_in_python():
    assert make("hearts", size=5) == make("hearts,size=3", size=5) == Hearts(5)
    assert make("gymnax:CartPole-v1", max_steps_in_episode=100).spec.episode_length == 100
    assert make("cartpole", name="Acrobot-v1") == make("acrobot")


def test_what_has_no_name():
    class Inside(Hearts):
        pass

    assert name_of(Permuted(Hearts())) is None
    assert name_of(Inside()) is None


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("heart,size=4", UnknownNameError, "named 'heart': did you mean 'hearts'"),
        ("hearts,siez=4", UnknownNameError, "setting of hearts named 'siez': .* 'size'"),
        ("hearts,size=four", SettingError, "size of hearts must be of type int, got 'four'"),
        ("hearts,size=1", SettingError, "size must be at least 2"),
        ("hearts,size=100000", SettingError, "30,000,000,000 inputs: at most 1,000,000"),
        ("bandit-arms-100000000", SettingError, "100,000,000 actions"),
        ("bandit-arms-5,arm=2", UnknownNameError, "setting of bandit-arms-5 named 'arm'"),
        ("gymnax:CartPole-v1,max_steps=9", UnknownNameError, "'max_steps_in_episode'"),
        ("gymnax:CartPole-v1,gravity=x", SettingError, "must be of type float, got 'x'"),
        (f"{OWN}Corridr", UnknownNameError, "did you mean 'Corridor'"),
        (f"{OWN}Corridor,cels=9", UnknownNameError, "did you mean 'cells'"),
        (f"{OWN}Start", SettingError, "lacks spec, sample_task, reset"),
        (f"{OWN}jax", SettingError, "the module lacks spec"),
    ],
)
def test_wrong_names_and_settings(name, kind, words):
    with pytest.raises(kind, match=words):
        make(name)
