"""LPG: what its rule sees and says, and what agents make of it."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import LPG
from symla.core.errors import SettingError, SizeError
from symla.core.types import Continuous, Discrete, Rollout, Spec

SMALL = LPG(hidden_size=4, predictions=3, interval=5, workers=2)
SPEC = Spec(3, Discrete(2), one_hot=True)
KEY = jax.random.key(0)
TARGETS = jax.jit(SMALL.targets)


@pytest.fixture(scope="module")
def rule():
    params = SMALL.init_params(KEY, SPEC)
    agent = SMALL.init_state(params, jax.random.key(1), SPEC)
    generator = np.random.default_rng(0)
    shown = np.eye(3, dtype=np.float32)[generator.integers(0, 3, (6, 2))]
    no = jnp.zeros((5, 2), bool)
    reward = jnp.asarray(generator.normal(size=(5, 2)), jnp.float32)
    action = jnp.asarray(generator.integers(0, 2, (5, 2)), jnp.int32)
    first, after = map(jnp.asarray, (shown[:-1], shown[1:]))
    return params, agent, Rollout(first, action, reward, no, no, after)


def test_targets_know_what_comes_later_in_the_episode_alone(rule):
    params, agent, rollout = rule

    def changed(step, rollout):
        later = rollout._replace(reward=rollout.reward.at[step, 0].add(1.0))
        found = TARGETS(params, agent, later).policy - TARGETS(params, agent, rollout).policy
        return np.abs(np.asarray(found)) > 1e-6

    assert changed(3, rollout).tolist() == [[True, False]] * 4 + [[False, False]]
    ended = rollout._replace(terminated=rollout.terminated.at[1, 0].set(True))
    assert changed(3, ended)[:, 0].tolist() == [False, False, True, True, False]
    assert changed(1, ended)[:, 0].tolist() == [True, True, False, False, False]


def test_what_follows_an_end_is_not_seen(rule):
    """The prediction of what an ended episode led to counts as nothing, known or not."""
    params, agent, rollout = rule
    ended = rollout._replace(truncated=rollout.truncated.at[2, 0].set(True))
    unknown = ended._replace(next_observation=ended.next_observation.at[2, 0].set(jnp.nan))
    one, other = TARGETS(params, agent, ended), TARGETS(params, agent, unknown)
    jax.tree.map(np.testing.assert_array_equal, one, other)
    assert np.isfinite(one.policy).all()


def test_an_update_is_the_step_that_the_targets_say(rule):
    """Of tables: log pi(a | s) pi_hat and KL(y, y_hat), by their closed forms."""
    params, agent, rollout = rule
    targets = TARGETS(params, agent, rollout)
    after, penalty = jax.jit(SMALL.learn_with_penalty)(params, agent, rollout, jnp.int32(10), KEY)
    policy, state = agent.policy[0].linear, rollout.observation.reshape(-1, 3)
    probability = jax.nn.softmax(state @ policy.weight + policy.bias[None])
    score = np.eye(2)[rollout.action.reshape(-1)] - probability
    step = state.T @ (score * targets.policy.reshape(-1, 1)) / 10
    np.testing.assert_allclose(
        after.policy[0].linear.weight, policy.weight + SMALL.rate * step, rtol=1e-4, atol=1e-4
    )

    def divergence(weight):
        y = jax.nn.softmax(state @ weight + agent.prediction[0].linear.bias[None])
        wanted = jax.nn.softmax(targets.logits.reshape(-1, 3))
        return jnp.mean(jnp.sum(y * jnp.log(y / wanted), axis=-1))

    weight = agent.prediction[0].linear.weight
    slope = 0.5 * SMALL.prediction_rate * jax.grad(divergence)(weight)
    np.testing.assert_allclose(
        after.prediction[0].linear.weight, weight - slope, rtol=1e-4, atol=1e-4
    )
    wanted = 0.005 * jnp.mean(targets.policy**2) + 0.001 * jnp.mean(targets.logits**2)
    np.testing.assert_allclose(penalty, wanted, rtol=1e-5)


def test_entropies_are_gained(rule):
    params, agent, rollout = rule
    even = jax.tree.map(jnp.zeros_like, agent)
    log, gained = SMALL.judge(params, even, rollout)
    np.testing.assert_allclose(log, np.full((5, 2), -np.log(2)), rtol=1e-5)
    np.testing.assert_allclose(gained, 0.05 * np.log(2) + 0.001 * np.log(3), rtol=1e-5)


def test_continuous_actions_are_refused(rule):
    with pytest.raises(SizeError, match="learns among discrete actions"):
        SMALL.init_state(rule[0], KEY, Spec(3, Continuous(2)))


@pytest.mark.parametrize(
    "settings", [{"units": (0,)}, {"predictions": 1}, {"workers": 0}, {"rate": -1.0}]
)
def test_settings_outside_ranges_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        replace(SMALL, **settings)
