"""Our environments in Gymnasium: found without an import of jax, correct by its own checker."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from symla.bridge.ours_as_gymnasium import AsGymnasium
from symla.bridge.registration import STEPS, register
from symla.core.errors import SettingError, UnknownNameError
from symla.environments import ENVIRONMENTS, Associations
from tests.bridge.in_process import environments


def test_every_environment_is_registered():
    assert list(STEPS) == list(ENVIRONMENTS)
    endless = [name for name, one in ENVIRONMENTS.items() if one.spec.episode_length is None]
    assert [name for name, steps in STEPS.items() if steps] == endless
    register()  # once more changes nothing, and warns of nothing


SLOW = pytest.mark.slow  # its tasks take seconds to compile


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=SLOW) if x == "random-tasks" else x for x in STEPS]
)
def test_gymnasiums_checker_is_content(name):
    check_env(gymnasium.make(f"symla/{name}-v0").unwrapped)


def test_it_is_the_environment():
    env = gymnasium.make("symla/hearts-v0", size=4, episode_length=5)
    assert env.unwrapped.environment == ENVIRONMENTS["hearts"].__class__(4, 5)
    assert env.observation_space.shape == (48,)
    assert env.reset(seed=0)[1] == {}
    lived = [env.step(0) for _ in range(5)]
    assert any(terminated or truncated for _, _, terminated, truncated, _ in lived)
    assert all(info == {} for *_, info in lived)
    with pytest.raises(UnknownNameError, match="did you mean 'size'"):
        gymnasium.make("symla/hearts-v0", siez=4)


def test_episodes_without_end_are_truncated():
    env = gymnasium.make("symla/bandit-easy-v0", max_episode_steps=3)
    env.reset(seed=0)
    assert [env.step(0)[3] for _ in range(3)] == [False, False, True]


def correct_actions(env):
    return env._task.tolist()


def test_a_reset_draws_the_task_anew_unless_it_is_told_not_to():
    env = AsGymnasium(Associations(contexts=6, actions=6))
    env.reset(seed=1)
    first = correct_actions(env)
    env.reset(options={"new_task": False})
    env.reset(seed=2, options={"new_task": False})
    assert correct_actions(env) == first
    env.reset()
    assert correct_actions(env) != first
    env.reset(seed=1, options={"new_task": True})
    assert correct_actions(env) == first


def test_wrong_calls():
    env = AsGymnasium("point-navigation", render_mode="rgb_array")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(env.action_space.sample())
    env.reset(seed=0)
    env.step([0.5, -0.5])
    for action in ([2.0, 0.0], [np.nan, 0.0], [0.0]):
        with pytest.raises(SettingError, match="is no action of Box"):
            env.step(action)


def test_an_agent_and_a_test_may_live_in_it():
    assert environments("gymnasium:symla/hearts-v0,size=2").sizes == (12, 4, False, None, False)


def test_gymnasium_finds_it_and_needs_no_jax_for_that():
    """In a new process: by the name of the module, which is Gymnasium's own way, or imported."""
    code = (
        "import sys, gymnasium; "
        "import symla.bridge.worker, symla.bridge.pool; "
        "assert gymnasium.spec('symla/hearts-v0'); assert 'jax' not in sys.modules; "
        "print(gymnasium.make('symla:symla/hearts-v0').reset(seed=0)[0].sum())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "3.0\n", done.stderr
