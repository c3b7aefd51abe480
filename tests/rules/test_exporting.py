"""A rule without JAX: the module in NumPy answers as the package does."""

import ast
import json
import runpy
import sys

import numpy as np
import pytest

import symla
from symla.algorithms import SymLA
from symla.core.errors import SettingError
from symla.rules.exporting import NUMPY_RULE, export_numpy, web_numbers
from symla.rules.rule import Rule
from tests.cli.in_process import typed
from tests.rules.logits import lived, logits, percepts, two_layers


def answers(path, observation, action, reward, done):
    agent = runpy.run_path(str(path))["NumpyAgent"](observation.shape[1], action.shape[1])
    found = []
    for seen, agent.action, *earned in zip(observation, action, reward, done):
        agent.observe(*earned)
        found.append(agent.outputs(seen)[:, 0])
    return np.array(found)


@pytest.mark.parametrize("name,observations,actions", [("gridworld", 12, 4), ("own", 4, 2)])
def test_numpy_answers_as_the_package_does_in_64_bits(name, observations, actions, tmp_path):
    rule = two_layers() if name == "own" else symla.load(name)
    path, numbers = export_numpy(rule, tmp_path / "mine.py")
    assert numbers.exists()
    seen = percepts(observations, actions)
    np.testing.assert_allclose(answers(path, *seen), logits(rule, *seen), atol=1e-8, rtol=0)


def test_numpy_answers_as_the_package_does_in_a_lifetime(tmp_path):
    rule = symla.load("bandits")
    path, _ = export_numpy(rule, tmp_path / "mine.py")
    seen, found = lived(rule, symla.make("bandit-arms-5"))
    np.testing.assert_allclose(answers(path, *seen), found, atol=1e-5, rtol=0)


def test_the_module_imports_numpy_alone_and_is_short():
    tree = ast.parse(NUMPY_RULE.read_text())
    found = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.split(".")[0] for name in found} - sys.stdlib_module_names == {"numpy"}
    assert len(NUMPY_RULE.read_text().splitlines()) < 100


def test_it_learns_which_arm_pays(tmp_path):
    path, _ = export_numpy(symla.load("bandits"), tmp_path / "mine.py")
    agent = runpy.run_path(str(path))["NumpyAgent"](1, 4)
    pulls = []
    for _ in range(100):
        pulls.append(agent.act([1.0]))
        agent.observe(float(pulls[-1] == 2))
    assert pulls[50:].count(2) > 45 > pulls[:20].count(2)


def test_continuous_actions_are_within_their_bounds(tmp_path):
    path, _ = export_numpy(two_layers(), tmp_path / "mine.py")
    agent = runpy.run_path(str(path))["NumpyAgent"](2, 3, continuous=True)
    action = agent.act([0.5, -0.5])
    assert action.shape == (3,) and np.all(np.abs(action) < 1)


@pytest.mark.parametrize("algorithm", [SymLA(initial_std=0.1), symla.MetaRNN(4)])
def test_what_it_cannot_be_is_refused(algorithm, tmp_path):
    with pytest.raises(SettingError, match="safetensors keeps it"):
        export_numpy(Rule(algorithm, ()), tmp_path / "mine.py")
    with pytest.raises(SettingError, match="safetensors keeps it"):
        web_numbers(Rule(algorithm, ()))


def test_the_command_writes_what_the_suffix_says(tmp_path):
    done = typed("export", "bandits", "it.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "it.py and it.npz\n"
    assert typed("export", "bandits", "it.html", "--format", "web", cwd=tmp_path).returncode == 0
    assert typed("export", "bandits", "it.safetensors", cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path / "it.json").read_text())["trained_on"] == "bandit-arms-2"
    for arguments, said in (
        (("bandits", "it.py", "--format", "web"), "it.py must end in .html"),
        (("bandits", "it.txt"), "must end in .safetensors, .py, .html"),
        (("thompson", "it.py"), "thompson is made by hand"),
        (("bandits", "nowhere/it.py"), "nowhere is no folder"),
    ):
        refused = typed("export", *arguments, cwd=tmp_path)
        assert refused.returncode == 2 and said in refused.stderr, refused.stderr
