"""TD3 and DDPG: values that can be computed by hand, delays, what is explored, what is refused.

`test_sb3_parity` compares single updates with Stable-Baselines3's.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.parts.critics import critics, experience, policy
from symla.algorithms.td3 import DDPG, TD3
from symla.core.errors import SettingError, SizeError
from symla.core.optimisers import Optimiser
from symla.core.types import Discrete, Rollout, Spec
from symla.lifetimes import learning
from tests.probes.one_state import OneState

FAST = Optimiser(1e-2)
SMALL = TD3(
    units=(8,), batch=16, capacity=400, interval=20, random_steps=20, discount=0.5,
    target_rate=0.1, policy_optimizer=FAST, critic_optimizer=FAST,
)  # fmt: skip


WORLD = OneState(gain=0.5)


@partial(jax.jit, static_argnames=("algorithm", "world", "stretches"))
def lived(algorithm, world, stretches, keys):
    lives = jax.vmap(partial(learning.born, algorithm, world, ()))(keys)

    def body(i, lives):
        learn_on = partial(learning.learn_on, algorithm, world, ())
        return jax.vmap(learn_on, (0, None))(lives, i * algorithm.interval)[0]

    return jax.lax.fori_loop(0, stretches, body, lives)


DETERMINISTIC = pytest.param(DDPG(**vars(replace(SMALL, critics=1))), marks=pytest.mark.slow)


@pytest.mark.parametrize("algorithm", [SMALL, DETERMINISTIC])
def test_truncation_bootstraps_and_termination_does_not(key, algorithm):
    """One state, whose best action earns 1.5: worth that where episodes terminate, 3 where not."""
    lives = lived(algorithm, WORLD, 30, jax.random.split(key, 4))
    terminates = np.asarray(lives.task)
    assert set(terminates.tolist()) == {True, False}
    weights = lives.learner.weights.networks
    best = jax.vmap(partial(policy, observation=jnp.ones((1, 1))))(weights.policy)
    assert (np.asarray(best) > 0.8).all()
    values = jax.vmap(critics, (0, None, None))(weights.critics, jnp.ones((1, 1)), jnp.ones((1, 1)))
    worth = np.where(terminates, 1.5, 3.0)[:, None, None]
    np.testing.assert_allclose(values, np.broadcast_to(worth, values.shape), atol=0.3)


def test_updates_begin_after_the_random_steps_and_policies_wait(key):
    """Critics change at each update, policy and targets at every second one."""
    algorithm = replace(SMALL, interval=1, random_steps=3, capacity=16)
    world = WORLD
    learn_on = jax.jit(partial(learning.learn_on, algorithm, world, ()))
    life = jax.jit(partial(learning.born, algorithm, world, ()))(key)
    changed = []
    for t in range(6):
        before = life.learner.weights
        life, _, _ = learn_on(life, jnp.int32(t))
        after = life.learner.weights
        pairs = (
            (before.networks.critics, after.networks.critics),
            (before.networks.policy, after.networks.policy),
            (before.targets, after.targets),
        )
        changed.append([
            any((a != b).any() for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y)))
            for x, y in pairs
        ])  # fmt: skip
    no, critics_alone, all_ = [False] * 3, [True, False, False], [True] * 3
    assert changed == [no, no, critics_alone, all_, critics_alone, all_]


def test_explores_at_random_first_and_then_around_its_policy(key):
    world = WORLD
    life = jax.jit(partial(learning.born, SMALL, world, ()))(key)
    keys = jax.random.split(key, 200)
    act = jax.jit(jax.vmap(lambda k, state: SMALL.act((), state, jnp.ones(1), k)[0], (0, None)))
    random = np.asarray(act(keys, life.learner))
    assert random.min() < -0.9
    assert random.max() > 0.9
    later = life.learner._replace(replay=life.learner.replay._replace(added=jnp.uint32(20)))
    chosen = SMALL.greedy((), later, jnp.ones(1))
    assert np.std(np.asarray(act(keys, later)) - np.asarray(chosen)) == pytest.approx(
        SMALL.exploration_noise, rel=0.2
    )


def test_a_truncated_step_that_led_to_nothing_known_is_left_out():
    one = jnp.ones((2, 1))
    yes, no = jnp.ones((2, 1), bool), jnp.zeros((2, 1), bool)
    nowhere = jnp.full((2, 1, 1), jnp.nan).at[0].set(1.0)
    rollout = Rollout(one[..., None], one[..., None], one, no, yes, nowhere)
    np.testing.assert_array_equal(experience(rollout).known, [True, False])
    terminated = experience(rollout._replace(terminated=yes, truncated=no))
    np.testing.assert_array_equal(terminated.known, [True, True])
    assert np.isfinite(terminated.next_observation).all()


def test_discrete_actions_are_refused(key):
    with pytest.raises(SizeError, match=r"TD3 learns continuous actions.*2 discrete.*take ppo"):
        SMALL.init_state((), key, Spec(1, Discrete(2)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"units": ()}, {"batch": 0}, {"interval": 0}, {"target_rate": 0.0}, {"discount": 1.1},
        {"capacity": 3}, {"exploration_noise": float("nan")}, {"random_steps": -1},
    ],
)  # fmt: skip
def test_settings_outside_their_ranges_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        TD3(**wrong)


def test_presets_are_settings_of_it():
    for settings in TD3.presets.values():
        assert replace(TD3(), **settings) != TD3()
