"""PPO: what it samples, how it stops, its schedule, truncation and termination, what is refused.

`test_sb3_parity` compares its updates with Stable-Baselines3's; how well it learns is in
`test_learning_on_policy`.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.parts import actor_critics
from symla.algorithms.ppo import PPO
from symla.core.distributions import are_actions
from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.core.types import Continuous, Discrete, Spec
from symla.lifetimes import learning
from symla.testing.tracing import QUICKLY
from tests.probes.one_state import OneState

SMALL = PPO(
    units=(8,), interval=8, workers=2, batch=16, epochs=2, optimizer=Optimiser(1e-2, clip=0.5)
)
CONTINUOUS = Spec(1, Continuous(1))
LEARN = jax.jit(
    lambda algorithm, *rest: algorithm.learn((), *rest),
    static_argnums=0,
    compiler_options=QUICKLY,
)


def init(algorithm, spec, key):
    init_state = partial(algorithm.init_state, (), spec=spec)
    return jax.jit(init_state, compiler_options=QUICKLY)(key)


@pytest.fixture(scope="module")
def collected():
    """A lifetime in an environment of continuous actions, and its first rollout."""
    world, key = OneState(gain=1.0), jax.random.key(0)
    life = jax.jit(partial(learning.born, SMALL, world, ()), compiler_options=QUICKLY)(key)
    collect = partial(learning.collect, SMALL, world, (), steps=SMALL.interval)
    return life.learner, jax.jit(collect, compiler_options=QUICKLY)(life)[1]


def learned(algorithm, collected, t=16):
    state, rollout = collected
    return LEARN(algorithm, state, rollout, jnp.int32(t), jax.random.key(1))


def difference(one, other):
    one, other = one.weights.networks, other.weights.networks
    return max(jax.tree.leaves(jax.tree.map(lambda x, y: float(jnp.abs(x - y).max()), one, other)))


def test_first_policies_are_nearly_uniform_and_weights_orthogonal(key):
    algorithm = replace(SMALL, units=(8, 8))
    networks = init(algorithm, Spec(3, Discrete(4)), key).weights.networks
    logits = actor_critics.distribution(networks.policy, jnp.ones(3)).logits
    assert np.abs(logits).max() < 0.05
    weight = np.asarray(networks.policy.network[1].linear.weight)
    np.testing.assert_allclose(weight.T @ weight, 2.0 * np.eye(8), atol=1e-5)
    assert networks.policy.log_deviation is None


def test_environments_are_given_actions_within_the_bounds(collected):
    """What is learned from is what was sampled."""
    state, rollout = collected
    np.testing.assert_array_equal(state.weights.networks.policy.log_deviation, 0.0)
    assert np.abs(rollout.extras).max() > 1.0
    np.testing.assert_array_equal(rollout.action, np.clip(rollout.extras, -1.0, 1.0))


def test_greedy_is_within_the_bounds_and_without_noise(collected):
    state, _ = collected
    policy = state.weights.networks.policy
    *hidden, last = policy.network
    far = last._replace(linear=last.linear._replace(bias=jnp.full(1, 3.0)))
    networks = state.weights.networks._replace(policy=policy._replace(network=(*hidden, far)))
    state = state._replace(weights=state.weights._replace(networks=networks))
    assert SMALL.greedy((), state, jnp.ones(1)) == 1.0


@pytest.mark.parametrize("spec", [Spec(1, Discrete(3)), CONTINUOUS])
def test_a_policy_that_diverged_takes_no_action(spec, key):
    state = init(SMALL, spec, key)
    weights = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), state.weights)
    action, _ = SMALL.act((), state._replace(weights=weights), jnp.ones(1), key)
    assert not are_actions(np.asarray(action)[None]).any()


def test_it_learns_from_each_step(collected):
    assert difference(learned(SMALL, collected), collected[0]) > 1e-3


def test_a_divergence_limit_leaves_the_rollout(collected):
    """The first batch of the first epoch is always learned from: nothing has changed before it."""
    limited = learned(replace(SMALL, divergence_limit=1e-9), collected)
    assert limited.weights.optimizer[1].count == 1
    assert difference(limited, collected[0]) > 1e-3


def test_the_schedule_ends_at_zero(collected):
    algorithm = replace(SMALL, decay_steps=64)
    assert [float(algorithm.left(jnp.int32(t))) for t in (0, 16, 64, 100)] == [1.0, 0.75, 0.0, 0.0]
    assert difference(learned(algorithm, collected, 64), collected[0]) == 0.0
    assert difference(learned(algorithm, collected, 16), collected[0]) > 1e-3


def test_truncation_bootstraps_and_termination_does_not():
    """Each step earns 1: worth that where episodes terminate, 2 where they are truncated."""
    algorithm, world = replace(SMALL, discount=0.5, epochs=10), OneState(continuous=False)

    @partial(jax.jit, compiler_options=QUICKLY)
    @jax.vmap
    def values(key):
        life = learning.born(algorithm, world, (), key)

        def stretch(i, life):
            return learning.learn_on(algorithm, world, (), life, i * 16)[0]

        life = jax.lax.fori_loop(0, 60, stretch, life)
        value = actor_critics.value(life.learner.weights.networks.value, jnp.ones(1))
        return value, life.task

    values, terminates = values(jax.random.split(jax.random.key(0), 4))
    assert set(np.asarray(terminates).tolist()) == {True, False}
    np.testing.assert_allclose(values, np.where(terminates, 1.0, 2.0), atol=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        {"units": ()}, {"interval": 0}, {"workers": 0}, {"epochs": 0}, {"batch": 100},
        {"trace": 1.1}, {"discount": -0.1}, {"clip": 0.0}, {"entropy_weight": float("nan")},
        {"decay_steps": -1}, {"divergence_limit": -1.0},
    ],
)  # fmt: skip
def test_settings_outside_their_ranges_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        PPO(**wrong)


def test_presets_are_settings_of_it():
    for settings in PPO.presets.values():
        assert replace(PPO(), **settings) != PPO()


def test_only_an_epoch_of_several_batches_needs_an_order(key):
    steps = SMALL.interval * SMALL.workers
    np.testing.assert_array_equal(SMALL.order(key, steps), np.arange(steps))
    order = np.asarray(replace(SMALL, batch=8).order(key, steps))
    assert (order != np.arange(steps)).any()
    np.testing.assert_array_equal(np.sort(order), np.arange(steps))
