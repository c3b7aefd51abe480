"""What an agent has learned is kept: pickled, and in a file, it goes on bit for bit."""

import pickle
import subprocess
import sys

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import symla
from symla.algorithms import MetaRNN
from symla.core import types
from symla.core.errors import CheckpointError, SettingError, SizeError
from symla.rules.loading import PRETRAINED, hand_made
from symla.rules.rule import Rule
from symla.store import save_checkpoint
from symla.store.checkpoints import load_checkpoint
from tests.probes.algorithms import Logits

TWO = (Box(-1, 1, (2,)), Discrete(2, start=3))


def meta_rnn():
    algorithm, spec = MetaRNN(4), types.Spec(2, types.Discrete(2))
    return Rule(algorithm, algorithm.init_params(jax.random.key(1), spec))


RULES = {
    "symla": lambda: symla.load("bandits"),
    "meta-rnn": meta_rnn,
    "thompson": lambda: hand_made("thompson"),
    "own": lambda: Rule(Logits(), jax.numpy.float32([0.1, 0.2])),
}


def live(agent, steps):
    """Its actions, and what it is left with. What a step shows depends on its number."""
    actions = []
    for _ in range(steps):
        if not agent._acted:
            t = agent.steps
            actions.append(agent.act(np.float32([np.sin(t), t % 3 / 3])))
        agent.observe(float(actions[-1] == 4 if actions else 1), agent.steps % 5 == 4, False)
    return actions, jax.device_get(agent._state)


def same(one, other):
    return one[0] == other[0] and jax.tree.all(jax.tree.map(np.array_equal, one[1], other[1]))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("due", ["observation", "reward"])
def test_it_goes_on_bit_for_bit(name, due, tmp_path):
    agent = RULES[name]().agent(TWO, seed=3)
    live(agent, 7)
    if due == "reward":
        agent.act(np.zeros(2, np.float32))
    agent.save(tmp_path / "agent.safetensors")
    pickled = pickle.dumps(agent)
    expected = live(agent, 8)
    loaded = symla.Agent.load(tmp_path / "agent.safetensors", TWO)
    assert (loaded.seed, loaded.steps) == (3, 7)
    for other in (loaded, pickle.loads(pickled)):
        assert same(live(other, 8), expected)
        assert other.spec == agent.spec
        assert other.rule.algorithm == agent.rule.algorithm


def test_continuous_actions_and_what_a_step_led_to(tmp_path):
    spaces = (Box(-1, 1, (2,)), Box(-2, 2, (3,)))
    agent = symla.load("control").agent(spaces)
    seen = np.float32([0.5, -0.5])
    agent.act(seen)
    agent.observe(1.0, False, True, seen / 2)  # truncated, and it led to this
    agent.save(tmp_path / "agent.safetensors")
    loaded = symla.Agent.load(tmp_path / "agent.safetensors", spaces)
    others = loaded, pickle.loads(pickle.dumps(agent))
    expected = agent.act(seen)
    for other in others:
        np.testing.assert_array_equal(other._last.final_observation, seen / 2)
        np.testing.assert_array_equal(other.act(seen), expected)
    with pytest.raises(SizeError, match="3 numbers in an action, but"):
        symla.Agent.load(tmp_path / "agent.safetensors", TWO)


def test_in_another_process(tmp_path):
    """Without the environment it lived in: one of the same spaces does."""
    path = tmp_path / "agent.safetensors"
    agent = symla.load("control").agent(gymnasium.make("CartPole-v1"))
    seen = np.float32([0.1, -0.2, 0.3, -0.4])
    for t in range(5):
        agent.act(seen * t)
        agent.observe(1.0, t == 3, False)
    agent.save(path)
    code = (
        "import sys, gymnasium, numpy, symla\n"
        "agent = symla.Agent.load(sys.argv[1], gymnasium.make('CartPole-v1'))\n"
        "seen = numpy.float32([0.1, -0.2, 0.3, -0.4])\n"
        "for t in range(5, 25):\n"
        "    print(agent.act(seen * t)); agent.observe(1.0, t == 9, False)\n"
        "agent.save(sys.argv[1])\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    actions = []
    for t in range(5, 25):
        actions.append(agent.act(seen * t))
        agent.observe(1.0, t == 9, False)
    assert [int(line) for line in out.split()] == actions
    there = symla.Agent.load(path, gymnasium.make("CartPole-v1"))
    assert jax.tree.all(jax.tree.map(np.array_equal, there._state, agent._state))


def test_its_file_is_a_rule_with_the_card(tmp_path):
    path = tmp_path / "agent.safetensors"
    rule = symla.load("bandits")
    agent = rule.agent(TWO)
    agent.save(str(path))
    for loaded in (symla.load(path), symla.Agent.load(path, TWO).rule):
        assert loaded.algorithm == rule.algorithm
        assert loaded.card["summary"] == rule.card["summary"]
        assert loaded.card["spec"] == rule.card["spec"]
        assert jax.tree.all(jax.tree.map(np.array_equal, loaded.params, rule.params))
    live(agent, 2)
    agent.save(path)  # over what was there
    assert symla.Agent.load(path, TWO).steps == 2


def test_a_rule_saved_out_of_it_is_no_agent_any_more(tmp_path):
    agent = symla.load("bandits").agent(TWO, seed=np.int64(3))
    agent.save(tmp_path / "agent.safetensors")
    path = symla.load(tmp_path / "agent.safetensors").save(tmp_path / "rule.safetensors")
    with pytest.raises(CheckpointError, match="holds no agent, but a rule alone"):
        symla.Agent.load(path, TWO)


def test_files_that_hold_no_agent(tmp_path):
    for path, words in {
        PRETRAINED / "bandits.safetensors": "holds no agent, but a rule alone",
        tmp_path / "missing.safetensors": "No such file",
        tmp_path / "agent.pkl": "name a .safetensors file",
    }.items():
        with pytest.raises(CheckpointError, match=words):
            symla.Agent.load(path, TWO)
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "text.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not the manifest"):
        symla.Agent.load(tmp_path / "text.safetensors", TWO)
    with pytest.raises(SettingError, match=r"must end in \.safetensors"):
        symla.load("bandits").agent(TWO).save(tmp_path / "agent.pkl")


@pytest.mark.parametrize(
    ("spaces", "words"),
    [
        ((Box(-1, 1, (3,)), Discrete(2)), "lived with 2 observations and 2 actions, but the env"),
        ((Box(-1, 1, (2,)), Discrete(4)), "has 2 observations and 4 actions"),
        ((Discrete(2), Discrete(2)), r"has 2 observations \(one-hot\) and 2 actions"),
    ],
)
def test_an_environment_of_other_sizes(spaces, words, tmp_path):
    symla.load("bandits").agent(TWO).save(tmp_path / "agent.safetensors")
    with pytest.raises(SizeError, match=words):
        symla.Agent.load(tmp_path / "agent.safetensors", spaces)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": "many"}, "lacks 'steps'"),
        ({"acted": None}, "lacks 'acted'"),
        ({"prng": "rbg, partitionable"}, "random numbers of 'rbg"),
        ({"streams": 99}, "drew other random numbers"),
    ],
)
def test_an_agent_that_cannot_go_on_here(change, words, tmp_path):
    path = tmp_path / "agent.safetensors"
    symla.load("bandits").agent(TWO).save(path)
    arrays, manifest, *_ = load_checkpoint(path)
    own = {"schema", "sha256"}
    changed = {key: value for key, value in manifest.items() if key not in own}
    save_checkpoint(path, arrays, {**changed, "agent": {**manifest["agent"], **change}})
    with pytest.raises(CheckpointError, match=words):
        symla.Agent.load(path, TWO)
