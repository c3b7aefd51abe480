"""AnyMDP: our steps through a peer's tables are theirs."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.errors import SettingError
from symla.environments.any_mdp import AnyMDP, AnyMDPState
from symla.evaluation.suites import SUITES
from symla.lifetimes.resolve import make

WORLD = AnyMDP(states=8, actions=3, tables=2)


@pytest.fixture(scope="module")
def theirs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pygame and its own
        from xenoverse.anymdp import AnyMDPTaskSampler
    return [AnyMDPTaskSampler(8, 3, seed=seed) for seed in range(2)]


@pytest.mark.parametrize("task", [0, 1])
def test_steps_are_distributed_as_theirs(theirs, task, key):
    table, steps = theirs[task], 4000
    inner = int(table["s_0"][0])
    state = AnyMDPState(jnp.asarray(inner), jnp.zeros((), jnp.int32))
    timesteps = jax.jit(
        jax.vmap(lambda k: WORLD.step(k, jnp.asarray(task), state, jnp.asarray(1)))
    )(jax.random.split(key, steps))
    cells = np.asarray(timesteps.state.cell)
    shares = np.bincount(cells, minlength=8) / steps
    np.testing.assert_allclose(shares, table["transition"][inner, 1], atol=0.04)
    mean = table["reward"][inner, 1, cells]
    deviation = table["reward_noise"][inner, 1, cells]
    assert (np.abs(np.asarray(timesteps.reward) - mean) <= 5 * deviation + 1e-5).all()
    assert timesteps.terminated.tolist() == np.isin(cells, table["s_e"]).tolist()
    shown = np.argmax(timesteps.observation, axis=1)
    assert shown.tolist() == table["state_mapping"][cells].tolist()


def test_episodes_begin_where_theirs_do_and_have_their_limit(theirs, key):
    for task, table in enumerate(theirs):
        state, observation = WORLD.reset(key, jnp.asarray(task))
        assert int(state.cell) in table["s_0"]
        assert observation.sum() == 1.0
        last = state._replace(step=jnp.asarray(int(np.ceil(table["max_steps"])) - 1))
        timestep = WORLD.step(key, jnp.asarray(task), last, jnp.asarray(0))
        assert timestep.truncated | timestep.terminated
        earlier = last._replace(step=last.step - 1)
        assert not WORLD.step(key, jnp.asarray(task), earlier, jnp.asarray(0)).truncated


def test_drawing_leaves_the_global_generator_alone():
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    AnyMDP(states=8, actions=2, tables=1).reset(jax.random.key(0), jnp.asarray(0))
    assert np.random.random() == expected


def test_the_suite_is_made_of_them():
    worlds = [make(name) for name in SUITES["anymdp"].environments.values()]
    assert worlds == [AnyMDP(states=16), AnyMDP(states=32)]


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("symla.environments.any_mdp.find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"pip install 'symla\[peers\]'"):
        AnyMDP()


def test_sizes_out_of_range_are_refused():
    with pytest.raises(SettingError, match="states must be 8 to 62, got 7"):
        AnyMDP(states=7)
