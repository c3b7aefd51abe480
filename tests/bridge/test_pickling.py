"""What a new process could not import goes to it by value."""

import sys
import threading
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from symla.bridge.pickling import can_import, portable
from symla.core.errors import FaultyEnvironmentError, SettingError
from symla.evaluation.evaluate import meta_test
from symla.lifetimes.resolve import make
from symla.rules.loading import hand_made
from tests.bridge.in_process import environments

SOURCE = """
import gymnasium
from gymnasium.spaces import Discrete

class Halfway(gymnasium.Env):
    observation_space = action_space = Discrete(2)
    def reset(self, *, seed=None, options=None):
        return START, {}
    def step(self, action):
        return 1, 0.5, False, False, {}

class Imports(Halfway):
    def __init__(self):
        import sub.test_own

START = 1
gymnasium.register("Halfway-v0", Halfway)
gymnasium.register("HalfwayByName-v0", "sub.test_own:Halfway")
"""


@pytest.fixture
def module(tmp_path):
    """Imported from its file alone, as pytest does with --import-mode=importlib."""
    path = tmp_path / "test_own.py"
    path.write_text(SOURCE)
    spec = spec_from_file_location("sub.test_own", path)
    made = module_from_spec(spec)
    sys.modules |= {"sub": ModuleType("sub"), "sub.test_own": made}
    spec.loader.exec_module(made)
    yield made
    del sys.modules["sub.test_own"], sys.modules["sub"]
    for name in ("Halfway-v0", "HalfwayByName-v0"):
        del gymnasium.registry[name]


def test_what_a_new_process_can_import(module):
    assert can_import("sys")
    assert can_import("gymnasium.envs.classic_control")
    assert can_import(__name__)
    assert not can_import("sub.test_own")
    assert not can_import("__main__")
    assert not can_import("no_such_module")


@pytest.mark.parametrize(
    "what",
    [
        lambda module: "gymnasium:Halfway-v0",
        lambda module: "gymnasium:HalfwayByName-v0",
        lambda module: module.Halfway,
        lambda module: module.Halfway(),
        lambda module: gymnasium.wrappers.TimeLimit(module.Halfway(), 5),
        lambda module: lambda: module.Halfway(),
    ],
    ids=["id", "id of a name", "class", "object", "wrapped", "function"],
)
def test_a_class_of_a_test_file_goes_by_value(module, what, monkeypatch):
    environment = make(what(module))
    source = environment.pickled()
    assert b"START" in source or b"Halfway" in source
    monkeypatch.setattr(type(environment), "pickled", lambda self: source)
    monkeypatch.setitem(sys.modules, "sub.test_own", None)  # as in a process without it
    copy = environments(environment)
    assert copy.reset([0]).tolist() == [[0, 1]]
    assert copy.step(np.array([0]), np.array([0])).reward == 0.5


def test_what_cannot_be_pickled_says_what_to_do():
    spec = EnvSpec("Locked-v0", entry_point="a:B", kwargs={"lock": threading.Lock()})
    with pytest.raises(FaultyEnvironmentError, match=r"Locked-v0 cannot .* a function that makes"):
        portable(spec, "Locked-v0")


class ForwardsEverything(gymnasium.Env):
    """As some wrappers do, in a way that no copy survives."""

    observation_space = action_space = gymnasium.spaces.Discrete(2)

    def __init__(self):
        self.inner = object()

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_what_cannot_be_unpickled_says_what_to_do():
    environment = make(ForwardsEverything())
    with pytest.raises(SettingError, match=r"cannot be copied .* RecursionError: .* a function"):
        environments(environment)


def test_a_module_that_only_this_program_has_is_named(module):
    """A process is started, in which there is no `sub`."""
    with pytest.raises(FaultyEnvironmentError, match=r"cannot import 'sub', a module of this"):
        meta_test(hand_made("random"), module.Imports, 2, 2)
