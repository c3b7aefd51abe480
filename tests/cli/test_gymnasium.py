"""Environments that misbehave, through the real command line: each is blamed by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from symla.core.errors import FaultyEnvironmentError, SettingError, SymlaError
from symla.environments import make
from symla.evaluation.evaluate import meta_test
from symla.lifetimes.resolve import make as find
from symla.rules.loading import hand_made
from tests.cli.in_process import typed
from tests.lifetimes.test_host import seed_of

ROOT = Path(__file__).parents[2]
MINE = "gymnasium:tests.bridge.registered:"


def symla(name, *options, alone=False, **environ):
    """`alone`, and with another environment, in a process of its own."""
    if not (alone or environ):
        return typed("test", "random", "--environment", name, *options, cwd=ROOT)
    return subprocess.run(
        [sys.executable, "-m", "symla", "test", "random", "--environment", name, *options],
        capture_output=True, text=True, cwd=ROOT, timeout=300, check=False,
        env=os.environ | environ,
    )  # fmt: skip


def said(done):
    return " ".join(done.stderr.split())


SEED = seed_of(0, episode=2)  # of the episode under way, the third
FIRST_AT_7 = f"lifetime 1, at step 7; seed {SEED} (env.reset(seed={SEED}))"

# At step 7 of the lifetime. What is said, beside name, lifetime, step and seed.
MISBEHAVES = {
    "Raises": "raised RuntimeError: the motor is on fire",
    "NaNReward": "reward was nan",
    "InfiniteReward": "reward was -inf",
    "NoReward": "reward was None, not a number",
    "NoFlag": "truncated was {'lives': 3}, neither true nor false",
    "NaNObservation": "observation has nan (number 1)",
    "HugeObservation": "observation has inf (number 0)",
    "WrongShape": "observation has shape (3,); declared is Box(shape=(2,), float32)",
    "WrongType": "observation is a dict; declared is Box(shape=(2,), float32)",
    "OutOfRange": "observation 9 is not in Discrete(9)",
    "OldStep": "step returns 4 values",
    "OldStepLimited": "step returns 4 values",
    "Hangs": "did not answer for 3 s",
    "HangsInC": "did not answer for 3 s",
    "Crashes": "ended its process (signal 11, Segmentation fault)",
    "Exits": "raised SystemExit: bye",
}


# One of each kind goes through the real command line; the others as far as the same message.
TYPED = (
    "Raises",
    "NaNReward",
    "NaNObservation",
    "WrongShape",
    "OldStepLimited",
    "HangsInC",
    "Crashes",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", TYPED)
def test_a_failing_step_is_blamed_and_what_was_measured_is_kept(name, tmp_path):
    out = tmp_path / "out.json"
    done = symla(f"{MINE}{name}-v0", "--lifetimes", "3", "--length", "20", "--json", out,
                 "--time-limit", "3", alone=name in ("Raises", "Crashes"))  # fmt: skip
    assert done.returncode == 2
    assert f"symla: {MINE}{name}-v0: " in said(done)
    assert MISBEHAVES[name] in said(done)
    assert FIRST_AT_7 in said(done)
    assert "Traceback" not in done.stderr
    assert f"{MINE}{name}-v0: 3 lifetimes of 6 steps" in done.stdout
    report = json.loads(out.read_text())
    assert report["incomplete"] is True
    assert report["reason"] in said(done)
    assert (report["lifetimes"], report["length"]) == (3, 6)
    assert report["reward_per_step"] == [1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize("name", sorted(set(MISBEHAVES) - set(TYPED)))
def test_every_failing_step_is_blamed(name):
    with pytest.raises(FaultyEnvironmentError) as caught:
        attempt(f"{MINE}{name}-v0")
    for words in (f"{MINE}{name}-v0: ", MISBEHAVES[name], FIRST_AT_7):
        assert words in str(caught.value)
    reward = [each.mean for each in caught.value.measured.reward_per_step]
    assert reward == [1, 2, 3, 1, 2, 3]


def attempt(name):
    meta_test(hand_made("random"), find(name, 3.0), lifetimes=3, length=20)


# Before the first step: nothing was measured, and no file is left.
REFUSED = {
    "MODULE:ResetRaises-v0": ("raised RuntimeError: no map was found", "its first reset; seed"),
    "MODULE:OldReset-v0": ("Gym's old interface", "its first reset; seed"),
    "MODULE:OldSeed-v0": ("Gym's old interface", "its first reset; seed"),
    "MODULE:HangsInReset-v0": ("did not answer for 3 s", "its first reset; seed"),
    "MODULE:ConstructorRaises-v0": ("cannot be made", "OSError: the simulator has no licence"),
    "MODULE:NeedsPackage-v0": ("No module named 'no_such_package'", "cannot be made"),
    "MODULE:NoEntryPoint-v0": ("No module named 'no_such_package'", "cannot be made"),
    "MODULE:DictSpace-v0": ("space is Dict", "flatten it: ", "DictSpace-v0,flatten=true"),
    "MODULE:SequenceSpace-v0": ("space is Sequence", "supported are Box, Discrete"),
    "MODULE:Image-v0": ("100800 numbers, more than 4096", "ResizeObservation", ",wrappers="),
    "MODULE:Unbounded-v0": ("has no bounds for number 1", "TransformAction"),
    "MODULE:Countin-v0": ("did you mean gymnasium:Counting-v0", "Gymnasium says"),
    "gymnasium:CartPol-v1": ("gymnasium:CartPole-v1", "Did you mean: `CartPole`?"),
    "gymnasium:ALE/Pong-v5": ("gymnasium[atari]", "Gymnasium says"),
    "gymnasium:LunarLander-v1": ("`LunarLander-v3`", "deprecated"),
    "gymnasium:no_such_module:My-v0": ("No module named 'no_such_module'", "PYTHONPATH"),
    "gymnasium:": ("there is no environment gymnasium:", "gymnasium:MODULE:ID"),
}


TYPED_AND_REFUSED = ("OldSeed", "NeedsPackage", "DictSpace", "LunarLander")


@pytest.mark.parametrize(
    "name", [name for name in REFUSED if any(t in name for t in TYPED_AND_REFUSED)]
)
def test_what_cannot_begin_is_refused(name, tmp_path):
    out = tmp_path / "out.json"
    done = symla(full(name), "--lifetimes", "3", "--length", "20", "--json", out)
    assert done.returncode == 2
    for part in (full(name), *REFUSED[name]):
        assert part in said(done)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not out.exists()


@pytest.mark.parametrize("name", REFUSED)
def test_everything_that_cannot_begin_is_refused(name):
    with pytest.raises(SymlaError) as caught:
        attempt(full(name))
    for part in (full(name), *REFUSED[name]):
        assert part in str(caught.value)


def full(name):
    return name.replace("MODULE:", MINE)


def test_a_script_is_told_to_guard_what_it_does(tmp_path):
    """It reads options, prints, and trains when it is imported. Results and stdout are ours."""
    (tmp_path / "my_script.py").write_text(
        "import argparse, gymnasium\n"
        "print('training')\n"
        "argparse.ArgumentParser().parse_args()\n"
        "gymnasium.register('Mine-v0', 'gymnasium.envs.toy_text:FrozenLakeEnv')\n"
        "raise SystemExit(0)\n"
    )
    out = tmp_path / "out.json"
    name, path = "gymnasium:my_script:Mine-v0", {"PYTHONPATH": str(tmp_path)}
    done = symla(name, "--lifetimes", "2", "--length", "9", "--json", out, **path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"{name}: importing 'my_script' ended the program (exit code 0)" in said(done)
    assert 'if __name__ == "__main__":' in said(done)
    assert "usage" not in said(done)
    assert not out.exists()


def test_debug_shows_where_the_environment_failed():
    done = symla(f"{MINE}Raises-v0", "--lifetimes", "2", "--length", "9", "--debug")
    assert done.returncode != 0
    assert "in modified" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "1e300"])
def test_a_time_limit_out_of_range(seconds):
    done = symla("gymnasium:CartPole-v1", "--time-limit", seconds)
    assert done.returncode == 2
    assert "time limit" in said(done)


def test_what_environments_print_is_not_the_result():
    done = symla(f"{MINE}Prints-v0", "--lifetimes", "2", "--length", "9")
    assert done.returncode == 0, done.stderr
    assert "hello from the environment" not in done.stdout
    assert done.stdout.startswith("random on gymnasium:")


def test_a_fault_in_a_class_of_ones_own_is_called_theirs(tmp_path):
    (tmp_path / "my_world.py").write_text(
        "from tests.probes.environments import Corridor\n"
        "class World(Corridor):\n"
        "    def step(self, key, task, state, action):\n"
        "        return self.nothing\n"
    )
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    done = symla("my_world:World,cells=4", "--lifetimes", "2", "--length", "9", **path)
    assert done.returncode == 2
    assert "raised AttributeError" in said(done)
    assert "my_world.py, line 4" in said(done)
    assert "a fault of symla itself" not in said(done)


def test_the_registry_is_of_environments_in_jax():
    with pytest.raises(SettingError, match="not in JAX"):
        make("gymnasium:CartPole-v1")
