"""The agent: its size, what its critic and its policy learn from, and its meta-gradient."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from symla.algorithms.base import Greedy, Guidance, HasCritic, LearnsFromRollouts, OffPolicy
from symla.algorithms.metagenrl import FollowCritic, LearnedObjective, MetaGenRL, OffPolicyReinforce
from symla.algorithms.parts.critics import policy
from symla.core.errors import SettingError, SizeError
from symla.core.optimisers import Optimiser
from symla.core.types import Continuous, Discrete, Rollout, Spec
from symla.rules.loading import with_preset

SPEC = Spec(3, Continuous(2))
AGENT = MetaGenRL(
    units=(8,), objective=LearnedObjective(units=4), capacity=64, batch=8, chunks=3, length=5,
    random_steps=0, workers=2, interval=10, policy_optimizer=Optimiser(1e-2),
)  # fmt: skip


def size(params):
    return sum(x.size for x in jax.tree.leaves(params))


def rollout_of(key, steps=10, workers=2, spec=SPEC):
    """Of episodes of three steps, every second of which terminates."""
    keys, shape = jax.random.split(key, 4), (steps, workers)
    observation = jax.random.normal(keys[0], (*shape, spec.observation_size))
    t = jnp.arange(steps)[:, None] * jnp.ones((1, workers), int)
    return Rollout(
        observation,
        jnp.tanh(jax.random.normal(keys[1], (*shape, spec.action_size))),
        jax.random.normal(keys[2], shape),
        t % 6 == 2,
        t % 6 == 5,
        jax.random.normal(keys[3], observation.shape),
        jnp.zeros(shape),
    )


@pytest.fixture(scope="module")
def params():
    return AGENT.init_params(jax.random.key(1), SPEC)


@pytest.fixture(scope="module")
def state(params):
    fresh = AGENT.init_state(params, jax.random.key(2), SPEC)
    return AGENT.remember(fresh, rollout_of(jax.random.key(3)))


def test_an_agent_of_the_papers_size(key):
    """In LunarLander: with the gains and biases of layer norms."""
    agent = with_preset(MetaGenRL(), {"preset": "paper", "capacity": 50}, "metagenrl")
    spec = Spec(8, Continuous(2))
    state = jax.eval_shape(lambda: agent.init_state(agent.init_params(key, spec), key, spec))
    assert size(state.weights.networks) == 385_004


def test_it_offers_what_an_outer_loop_needs():
    for protocol in (LearnsFromRollouts, OffPolicy, HasCritic, Greedy):
        assert isinstance(AGENT, protocol)


def test_a_termination_is_worth_nothing_and_a_truncation_what_it_led_to(params, state):
    agent = replace(AGENT, chunks=30)
    chunks = agent.sample(state, jax.random.key(4))
    seen = agent.see(state.weights.networks, chunks)
    ends = np.asarray(chunks.ended & seen.known)
    terminated = np.asarray(seen.steps.terminated) & ends
    assert terminated.any()
    assert (seen.next_value[terminated] == 0).all()
    truncated = ends & ~terminated
    assert truncated.any()
    assert (seen.next_value[truncated] != 0).all()


@pytest.mark.slow
def test_learning_is_so_many_updates_with_every_second_one_of_the_policy(params, state):
    weights = state.weights
    for number in range(2):
        state = AGENT.update(params, state, jnp.asarray(number), jax.random.key(number))
        same = jax.tree.map(np.array_equal, state.weights.networks.policy, weights.networks.policy)
        assert all(jax.tree.leaves(same)) == (number == 0)
        critics = zip(*map(jax.tree.leaves, (state.weights, weights)))
        assert any((x != y).any() for x, y in critics)


@pytest.mark.slow
def test_learn_counts_updates_by_the_steps_of_one_environment(params, state):
    late = replace(AGENT, random_steps=25)  # the second interval of 2 x 10 steps is enough
    rollout, key = rollout_of(jax.random.key(5)), jax.random.key(6)
    learn = jax.jit(late.learn)
    before = learn(params, state, rollout, jnp.asarray(20), key)
    jax.tree.map(np.testing.assert_array_equal, before.weights, state.weights)
    after = learn(params, state, rollout, jnp.asarray(40), key)
    wanted = late.remember(state, rollout)
    for number in range(10):
        wanted = late.update(params, wanted, jnp.asarray(number), jax.random.fold_in(key, number))
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-3, atol=2e-5),
        after.weights.networks,
        wanted.weights.networks,
    )


@pytest.mark.slow
def test_a_led_agent_follows_its_critic(params, state):
    """As one whose objective is that of TD3; its steps may be shorter."""
    follower, key = replace(AGENT, objective=FollowCritic()), jax.random.key(7)
    number, one = jnp.asarray(1), jnp.ones(())
    wanted = follower.update((), state, number, key)
    led = AGENT.update_guided(params, state, Guidance(one, one), number, key)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-5),
        led.weights.networks.policy,
        wanted.weights.networks.policy,
    )
    half = AGENT.update_guided(params, state, Guidance(one, 0.5 * one), number, key)
    jax.tree.map(
        lambda x, y, start: np.testing.assert_allclose(x, 0.5 * (y + start), rtol=1e-4, atol=1e-6),
        half.weights.networks.policy,
        led.weights.networks.policy,
        state.weights.networks.policy,
    )


@pytest.mark.slow
def test_without_guidance_it_is_the_plain_update(params, state):
    key, number = jax.random.key(7), jnp.asarray(1)
    plain = AGENT.update(params, state, number, key)
    guided = AGENT.update_guided(params, state, Guidance(jnp.zeros(()), jnp.ones(())), number, key)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6),
        guided.weights.networks,
        plain.weights.networks,
    )


def _permuted(state, order):
    """The agent with its action dimensions in another order, and its weights along."""

    def of_policy(layers):
        *hidden, last = layers
        linear = last.linear._replace(
            weight=last.linear.weight[:, order], bias=last.linear.bias[order]
        )
        return (*hidden, last._replace(linear=linear))

    def of_critics(layers):
        first, *later = layers
        inputs = jnp.concatenate([jnp.arange(3), 3 + order])
        linear = first.linear._replace(weight=first.linear.weight[:, inputs])
        return (first._replace(linear=linear), *later)

    def of_networks(networks):
        return type(networks)(of_policy(networks.policy), of_critics(networks.critics))

    weights = state.weights._replace(
        networks=of_networks(state.weights.networks), targets=of_networks(state.weights.targets)
    )
    rows = state.replay.transitions
    step = rows.step._replace(action=rows.step.action[:, order])
    replay = state.replay._replace(transitions=rows._replace(step=step))
    return state._replace(weights=weights, replay=replay)


def test_permuted_action_dimensions_permute_the_updates(params, state):
    """Up to the noise of targets, which is drawn for dimensions in their order."""
    agent, order = replace(AGENT, target_noise=0.0), jnp.array([1, 0])
    number, key = jnp.asarray(1), jax.random.key(8)
    found = agent.update(params, _permuted(state, order), number, key)
    wanted = _permuted(agent.update(params, state, number, key), order)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-5),
        found.weights.networks,
        wanted.weights.networks,
    )


@pytest.mark.slow
def test_weights_follow_the_gradient_through_pi_alone(params, state):
    """L's dependence on V, which depends on the policy's weights, too, is no part of it."""
    weights, key = state.weights, jax.random.key(9)
    seen = AGENT.see(weights.networks, AGENT.sample(state, key))

    def total(network):
        action = policy(network, seen.steps.observation)
        losses = AGENT.objective.losses(params, seen, action)
        return jnp.sum(jnp.where(seen.known, losses, 0.0)) / jnp.sum(seen.known, dtype=jnp.float32)

    step, _ = AGENT.policy_optimizer.descend(
        weights.networks.policy,
        jax.grad(total)(weights.networks.policy),
        weights.optimizers.policy,
    )
    found = AGENT.follow(params, weights, seen).networks.policy
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6), found, step)


META = {
    "paper": {"inner": "weights", "unit_step": False, "scaled_value": False, "inner_rate": 0.02},
    "weights": {"inner": "weights", "inner_steps": 3},
    "actions": {"inner": "actions", "inner_steps": 2},
}


@pytest.mark.parametrize(
    "name", [x if x == "actions" else pytest.param(x, marks=pytest.mark.slow) for x in META]
)
def test_the_meta_gradient_is_that_of_finite_differences(name, params, state):
    """Second order, in float64."""
    # The deviation that values are divided by has no gradient: it would not show here.
    agent = replace(AGENT, **META[name] | {"scaled_value": False, "length": 3, "chunks": 2})
    with jax.enable_x64(), jax.numpy_dtype_promotion("standard"):
        params, state = jax.tree.map(_wide, (params, state))
        flat, unravel = ravel_pytree(params)

        @jax.jit
        def objective(flat):
            return agent.meta_objective(unravel(flat), state, jax.random.key(3))

        value_and_gradient = jax.jit(jax.value_and_grad(objective))
        gradient = value_and_gradient(flat)[1]
        assert flat.dtype == gradient.dtype == jnp.float64
        assert np.abs(gradient).max() > 1e-6
        for direction in jax.random.normal(jax.random.key(9), (4, flat.size)):
            ahead, behind = (value_and_gradient(flat + h * direction)[0] for h in (1e-6, -1e-6))
            np.testing.assert_allclose(
                (ahead - behind) / 2e-6, gradient @ direction, rtol=1e-4, atol=1e-8
            )


def _wide(x):
    return jnp.asarray(x, jnp.float64) if x.dtype == jnp.float32 else x


def test_values_are_scaled_by_their_deviation(params, state):
    plain = replace(AGENT, scaled_value=False)
    seen = AGENT.see(state.weights.networks, AGENT.sample(state, jax.random.key(4)))
    action = policy(state.weights.networks.policy, seen.steps.observation)
    values = np.asarray(seen.value)[np.asarray(seen.known)]
    np.testing.assert_allclose(plain.negative_value(seen, action), -values.mean(), rtol=1e-4)
    np.testing.assert_allclose(
        AGENT.negative_value(seen, action), -values.mean() / values.std(), rtol=1e-3
    )


def test_what_it_cannot_learn_with_is_refused(key, params):
    with pytest.raises(SizeError, match="take ppo or q-learning"):
        AGENT.init_state(params, key, Spec(3, Discrete(2)))
    with pytest.raises(SizeError, match="another objective"):
        replace(AGENT, objective=LearnedObjective(units=8)).init_state(params, key, SPEC)
    for settings in ({"inner_steps": 0}, {"chunks": 0}, {"inner_rate": 0.0}):
        with pytest.raises(SettingError, match=next(iter(settings))):
            replace(AGENT, **settings)


def test_reinforce_has_no_meta_parameters(key):
    agent = OffPolicyReinforce(**{x: getattr(AGENT, x) for x in ("units", "capacity", "interval")})
    assert agent.init_params(key, SPEC) == ()
    agent.init_state((), key, SPEC)
