"""Typical mistakes are answered by one line: class, method, file and line, what to do."""

import inspect
import re

import gymnasium
import jax
import numpy as np
import pytest

import symla
from symla.core.errors import FaultyEnvironmentError, SettingError, UnknownNameError
from symla.core.types import Continuous, Spec
from symla.environments import Permuted
from symla.rules.loading import hand_made
from symla.testing import CheckedEnvironment, check_environment
from tests.cli.in_process import run
from tests.testing import mistakes
from tests.testing.mistakes import Good, HasPart, PythonValues

pytestmark = pytest.mark.usefixtures("own_program")

HERE = "tests.testing.mistakes:"

# Of each mistake: the method that is named, and words of the line.
NO_ENVIRONMENT = {
    "NoTask": "the NoTask lacks sample_task. One of symla has spec, sample_task, reset, step",
    "Misspelt": "the Misspelt lacks sample_task (it has sample_tasks)",
    "NoSpec": "the NoSpec lacks spec",
}
TRACED = {
    "NoDataclass": ("", "is no frozen dataclass: write @dataclass(frozen=True) above the class"),
    "Mutable": ("", "is no frozen dataclass"),
    "ListField": ("", "has a list in its field 'rewards': settings are numbers, texts, tuples"),
    "ArrayField": ("", "has float32[2] in its field 'rewards': settings are numbers"),
    "OwnEquality": ("", "does not equal a copy of itself"),
    "ResetWithoutTask": (
        "reset",
        "takes other parameters, (key): it must be reset(self, key, task)",
    ),
    "StepOfGymnasium": ("step", "it must be step(self, key, task, state, action)"),
    "StepIsNumber": ("step", "is an int: it must be a method step(self"),
    "SpecIsNumber": ("spec", "is an int: it must be Spec(observation_size, Discrete(n)"),
    "SpecIsMethod": ("spec", "is a method: write @property above it"),
    "SpecIsTuple": ("spec", "is a tuple: it must be Spec("),
    "SpecWithoutSpace": ("spec", "a Spec's action must be Discrete(n) or Continuous(n), got 2"),
    "SpecRaises": ("spec", "raised AttributeError: 'SpecRaises' object has no attribute 'cells'"),
    "SpecOfChance": ("spec", "changes: it was Spec(observation_size="),
    "TaskIsText": (
        "sample_task",
        "returns a str (task) where only arrays can be: number the cases",
    ),
    "TaskIsObject": ("sample_task", "returns a Goal (task['goal']) where only arrays can be"),
    "OnlyObservation": ("reset", "returns float32[2]: it must return two values, state and obs"),
    "ResetOfGymnasium": ("reset", "returns observation and info, as one of Gymnasium's does"),
    "ResetReturnsNothing": ("reset", "returns None: it must return two values"),
    "WrongSizeOfReset": ("reset", "of shape (3,), but its spec says observation_size=2"),
    "ListForObservation": ("reset", "has a list for its observation: it must be an array"),
    "Float64": ("reset", "has an observation of float64: it must be float32"),
    "WrongSize": ("step", "has an observation of shape (2, 1), but its spec says"),
    "IntObservation": ("step", "has an observation of int32: it must be float32"),
    "RewardIsNone": ("step", "has None for its reward: it must be one float32 number"),
    "RewardIsVector": (
        "step",
        "has float32[1] for its reward: it must be one float32 number, such",
    ),
    "IntReward": (
        "step",
        "has int32[] for its reward: it must be one float32 number, reward.astype",
    ),
    "IntOfPython": ("step", "has an int for its reward: it must be one float32 number"),
    "ThreeValues": ("step", "returns 3 values: it must return Timestep(state, observation, reward"),
    "FourValues": (
        "step",
        "returns 4 values, as one of Gymnasium's does: it must return Timestep(",
    ),
    "FiveValues": (
        "step",
        "returns 5 values, as one of Gymnasium's does: it must return Timestep(",
    ),
    "PlainTuple": ("step", "returns 5 values: it must return Timestep("),
    "ReturnsNothing": ("step", "returns None: it must return Timestep("),
    "IntFlags": ("step", "has int32[] for terminated: it must be one bool"),
    "NoFlag": ("step", "has None for truncated: it must be one bool"),
    "StateChangesType": ("step", "state is int32[] after reset and float32[] after step: keep its"),
    "StateChangesShape": (
        "step",
        "state.column is float32[] after reset and float32[2] after step",
    ),
    "StateChangesStructure": ("step", "int32[] after reset, (int32[], int32[]) after step"),
    "IfOnArray": ("step", "has an `if`, `while`, `and`, `or` or `not` that depends on an array"),
    "IntOfArray": ("step", "makes a number of Python from an array"),
    "NumpyOfArray": ("step", "gives numpy an array"),
    "ListByArray": ("step", "as an index of a list"),
    "MaskedArray": ("step", "by a mask"),
    "FloatIndex": ("step", "raised TypeError: Indexer must have integer or boolean type"),
    "DividesByZero": ("step", "raised ZeroDivisionError: integer division or modulo by zero"),
    "WrongName": ("sample_task", "raised AttributeError: module 'jax.random' has no attribute"),
    "Shapes": ("reset", "raised TypeError: add got incompatible shapes for broadcasting: (2,), (3"),
    "NumpyRandom": ("step", "gives other numbers each time it is compiled"),
    "RandomArray": ("sample_task", "gives other numbers each time it is compiled"),
    "ReadsClock": ("reset", "gives other numbers each time it is compiled"),
    "CountsCalls": ("step", "gives other numbers each time it is compiled"),
    "AssignsToSelf": ("step", "assigns to a field of self: what changes from step to step"),
    "KeepsArray": ("step", "keeps an array beyond its call, on self, in a list or in a global"),
    "RegretOfOne": ("regret", "returns float32[] for 2 actions: it must return a float32 number"),
}
PLAYED = {
    "NanReward": ("step", "in its reward after 50 steps of random play"),
    "InfiniteObservation": ("step", "in its observation after 4 steps of random play"),
    "NanAfterReset": ("reset", "in its observation "),
    "BothFlags": ("step", "has both terminated and truncated at step 4 of random play"),
    "TooLong": ("step", "goes on after 3 steps of an episode, but its spec says episode_length=3"),
    "EndsAllTheSame": ("step", "ends an episode at step 4 of random play, but its spec has no"),
    "NotOneHot": ("spec", "says one_hot=True, but at step 1 of random play"),
    "NegativeRegret": ("regret", "for the actions of one task: it is the best action's expected"),
}


def expected_place(kind):
    """Where the marker of a class stands; of one that has none, an inherited method."""
    source, first = inspect.getsourcelines(kind)
    marked = [first + n for n, line in enumerate(source) if "# <-" in line]
    return rf"tests/testing/mistakes\.py, line {marked[0]}" if marked else ""


def check_line(text, kind, method, words):
    assert "\n" not in text
    assert words in text
    name = kind.__name__ + (f".{method}" if method else "")
    assert re.match(rf"{name} (\(.*{expected_place(kind)}\) )?", text), text
    assert re.search(expected_place(kind), text), text


@pytest.mark.parametrize("name", NO_ENVIRONMENT)
def test_what_is_no_environment(name):
    kind = getattr(mistakes, name)
    for check in (check_environment, lambda it: symla.meta_test(hand_made("random"), it)):
        with pytest.raises(SettingError) as found:
            check(kind())
        check_line(str(found.value), kind, "", NO_ENVIRONMENT[name])


@pytest.mark.parametrize("name", TRACED | PLAYED)
def test_each_mistake_is_named(name):
    kind = getattr(mistakes, name)
    with pytest.raises(FaultyEnvironmentError) as found:
        check_environment(kind(), thorough=False)
    check_line(str(found.value), kind, *(TRACED | PLAYED)[name])


# Which training refuses, as everything that the check refuses.
TRAINED = ("ListField", "SpecIsNumber", "ThreeValues", "KeepsArray", "NanReward", "BothFlags")


@pytest.mark.parametrize("name", TRAINED)
def test_training_begins_with_the_check(name, tmp_path):
    kind = getattr(mistakes, name)
    with pytest.raises(FaultyEnvironmentError) as found:
        symla.meta_train(symla.SymLA(), [kind()], generations=1, run_dir=tmp_path / "run")
    check_line(str(found.value), kind, *(TRACED | PLAYED)[name])
    assert not (tmp_path / "run").exists()


# A test lives lifetimes at once; what fails in them is explained by the same lines.
TESTED = (
    "ListField", "ResetWithoutTask", "SpecIsMethod", "SpecWithoutSpace", "SpecRaises", "TaskIsText",
    "OnlyObservation", "WrongSizeOfReset", "WrongSize", "IntObservation", "RewardIsNone",
    "RewardIsVector", "ThreeValues", "FiveValues", "IntFlags", "StateChangesType", "IfOnArray",
    "NumpyOfArray", "FloatIndex", "DividesByZero", "AssignsToSelf", "NanReward",
)  # fmt: skip


@pytest.mark.parametrize("name", TESTED)
def test_failures_of_a_test_are_explained(name):
    kind = getattr(mistakes, name)
    with pytest.raises(FaultyEnvironmentError) as found:
        symla.meta_test(hand_made("random"), kind(), 2, 60)
    check_line(str(found.value), kind, *(TRACED | PLAYED)[name])


def test_the_environment_inside_a_transform_is_named():
    for check in (
        lambda: check_environment(Permuted(mistakes.ThreeValues()), thorough=False),
        lambda: symla.meta_test(hand_made("random"), mistakes.ThreeValues(), 2, 5, permute=True),
    ):
        with pytest.raises(FaultyEnvironmentError, match=r"^ThreeValues.step .* returns 3 values"):
            check()


def test_the_command_line_calls_it_a_fault_of_the_class(monkeypatch):
    where = "--environment", f"{HERE}DividesByZero"
    code, out, err = run(monkeypatch, "test", "random", *where)
    assert (code, out) == (2, "")
    check_line(
        err.strip().removeprefix("symla: "), mistakes.DividesByZero, *TRACED["DividesByZero"]
    )


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("no_such_worlds:Corridor", SettingError, "No module named 'no_such_worlds': install it"),
        (f"{HERE}Goood", UnknownNameError, "named 'Goood': did you mean 'Good'"),
        ("hearst", UnknownNameError, "did you mean 'hearts'"),
        (f"{HERE}HasPart", SettingError, f"{HERE}HasPart needs cells: {HERE}HasPart,cells=VALUE"),
        (HasPart, SettingError, "HasPart needs cells"),
        (f"{HERE}HasPart,cell=3", UnknownNameError, "did you mean 'cells'"),
        (f"{HERE}HasPart,cells=many", SettingError, "cells of tests.testing.mistakes:HasPart must"),
        (None, SettingError, "an environment is a name (`symla list`), an object of symla"),
        ([Good()], SettingError, "an environment is a name (`symla list`), an object of symla"),
    ],
)  # fmt: skip
def test_what_names_no_environment(what, error, words):
    with pytest.raises(error) as found:
        check_environment(what)
    assert words in str(found.value)
    assert "\n" not in str(found.value)


def test_what_only_the_thorough_check_finds():
    """Keys that are used twice, and callbacks whose answers change."""
    for kind, words in (
        (mistakes.UsesKeyTwice, "uses a key twice, which draws the same numbers again: split it"),
        (mistakes.CallsBack, "gives another lifetime for the same key: a callback of it draws"),
    ):
        check_environment(kind(), thorough=False)
        with pytest.raises(FaultyEnvironmentError) as found:
            check_environment(kind())
        check_line(str(found.value), kind, "step", words)


def test_what_cannot_be_batched():
    with pytest.raises(FaultyEnvironmentError) as found:
        check_environment(mistakes.CannotBeBatched(), thorough=False)
    check_line(str(found.value), mistakes.CannotBeBatched, "", "vmap is only supported")


def test_what_is_right_passes_and_is_summed_up():
    """Whatever the type of numbers in the program around; a class stands for its defaults."""
    found = check_environment(Good)
    assert found.spec == Good().spec
    assert found.ends == pytest.approx(1 / 4, abs=0.01)
    assert re.fullmatch(
        f"{HERE}Good: 2 observations, 2 actions, episodes of at most 4 steps; "
        r"random play earns -?[0-9.]+ a step",
        str(found),
    )
    with jax.enable_x64(True):
        assert check_environment(Good(), thorough=False) == found
    assert check_environment(f"{HERE}HasPart,cells=3").name == f"{HERE}HasPart,cells=3"


def test_numbers_and_flags_of_python_are_right():
    assert str(check_environment(PythonValues())).endswith(
        "PythonValues: 2 observations, actions of 3 numbers, episodes that never end; random play "
        "earns 0.5 a step"
    )
    assert symla.meta_test(hand_made("random"), PythonValues(), 2, 10).return_.mean == 5.0


def test_the_number_of_things_is_in_words():
    one = CheckedEnvironment("it", Spec(1, Continuous(1), 1), 0.00207, 0.5)
    assert str(one) == (
        "it: 1 observation, actions of 1 number, episodes of at most 1 step; random play earns "
        "0.00207 a step"
    )


def test_on_the_host():
    """Any environment of Gymnasium is played at random, in its process."""
    found = check_environment(gymnasium.make("FrozenLake-v1"))
    assert str(found).startswith(
        "gymnasium:FrozenLake-v1: 16 observations, 4 actions, episodes of at most 100 steps; random"
    )
    assert check_environment("gymnasium:Pendulum-v1", thorough=False).reward < -1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        # It observes the number of its episode, whatever the seed.
        (
            "Counting",
            "seed 7 gives another episode when it is played again after others: the first",
        ),
        ("Raises", "raised RuntimeError: the motor is on fire (tests/bridge/registered.py, line"),
        ("ResetRaises", "raised RuntimeError: no map was found"),
    ],
)
def test_faults_on_the_host(name, words):
    with pytest.raises(FaultyEnvironmentError) as found:
        check_environment(f"tests.bridge.registered:{name}")
    assert words in str(found.value)


def test_random_numbers_that_no_seed_gives_again_on_the_host():
    class OwnNoise(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(0, 1, (1,), np.float32)
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            return np.ones(1, np.float32), {}

        def step(self, action):
            return np.ones(1, np.float32), np.random.rand(), False, False, {}

    check_environment(OwnNoise, thorough=False)  # it may train all the same
    with pytest.raises(FaultyEnvironmentError, match=r"OwnNoise: .*the reward of step 1 differs"):
        check_environment(OwnNoise)
