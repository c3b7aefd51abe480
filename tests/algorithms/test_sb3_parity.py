"""One update of ours is that of Stable-Baselines3: its weights, batch, noise and orders, its losses
and weights afterwards. `benchmarks/sb3_parity.py` wrote them."""

import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from symla.algorithms.parts import normalisation
from symla.algorithms.parts.actor_critics import ActorCritic, Policy, batch_of
from symla.algorithms.parts.critics import Experience, critic, critics, policy
from symla.algorithms.ppo import PPO, PPOWeights
from symla.algorithms.td3 import DDPG, TD3, Networks, TD3Weights, first_critic
from symla.core.networks import Dense, Linear
from symla.core.optimisers import Optimiser
from symla.core.types import Discrete, Rollout, Spec
from symla.testing.tracing import QUICKLY

GOLDEN = Path(__file__).parent / "golden_sb3"
LEFT = json.loads((GOLDEN / "about.json").read_text())["left"]
BATCH_OF = jax.jit(partial(batch_of, discount=0.99, trace=0.95), compiler_options=QUICKLY)
TOLERANCE = 1e-5  # absolute; relative of numbers above 1


def close(ours, theirs):
    def check(ours, theirs):
        scale = np.maximum(1.0, np.abs(theirs))
        np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=TOLERANCE)

    jax.tree.map(check, ours, theirs)


def layers(found, *names):
    """A perceptron of SB3's linear layers, whose weights are the other way round."""
    return tuple(
        Dense(Linear(jnp.asarray(found[f"{name}.weight"].T), jnp.asarray(found[f"{name}.bias"])))
        for name in names
    )


def actor_critic(found, prefix):
    hidden = f"{prefix}.mlp_extractor"
    deviation = found.get(f"{prefix}.log_std")
    return ActorCritic(
        Policy(
            layers(
                found, f"{hidden}.policy_net.0", f"{hidden}.policy_net.2", f"{prefix}.action_net"
            ),
            None if deviation is None else jnp.asarray(deviation),
        ),
        layers(found, f"{hidden}.value_net.0", f"{hidden}.value_net.2", f"{prefix}.value_net"),
    )


def rollout_of(found):
    names = "reward", "terminated", "truncated", "next_observation"
    seen = [jnp.asarray(found[name]) for name in names]
    action, raw = jnp.asarray(found["action"]), ()
    if "before.log_std" in found:
        action, raw = jnp.clip(action, -1.0, 1.0), action
    else:
        action = action[..., 0].astype(jnp.int32)
    return Rollout(jnp.asarray(found["observation"]), action, *seen, raw)


@pytest.fixture(scope="module", params=["ppo_discrete", "ppo_continuous"])
def ppo(request):
    return load_file(GOLDEN / f"{request.param}.safetensors")


def test_advantages_and_targets_of_a_rollout(ppo):
    """It has steps that terminated, others that were truncated, and ends within an episode."""
    assert ppo["terminated"].any() and ppo["truncated"].any()
    assert not (ppo["terminated"] | ppo["truncated"])[-1].all()
    batch = BATCH_OF(actor_critic(ppo, "before"), rollout_of(ppo))
    for name in ("advantage", "target", "log_probability"):
        close(getattr(batch, name), ppo[name].reshape(-1))
    assert batch.known.all()
    if "before.log_std" in ppo:  # probabilities are of actions that were not clipped
        assert np.abs(batch.action).max() > 1.0


def test_one_update_of_ppo():
    ppo = load_file(GOLDEN / "ppo_discrete.safetensors")
    networks = actor_critic(ppo, "before")
    algorithm = PPO(interval=32, workers=2)

    @partial(jax.jit, compiler_options=QUICKLY)
    def update(networks, batch):
        weights = PPOWeights(networks, algorithm.optimizer.init(networks))
        return algorithm.update(weights, batch, jnp.ones(()))

    weights, losses = update(networks, BATCH_OF(networks, rollout_of(ppo)))
    close(weights.networks, actor_critic(ppo, "one"))
    close(losses.policy, ppo["one_policy"])
    close(losses.value, ppo["one_value"])
    close(losses.entropy, -ppo["one_entropy"])
    close(losses.total, ppo["one_total"])
    moved = jax.tree.map(lambda x, y: float(jnp.abs(x - y).max()), weights.networks, networks)
    assert min(jax.tree.leaves(moved)) > 1e-4


def test_all_updates_of_a_rollout(ppo):
    """Batches in SB3's orders, both schedules at three quarters, a bonus for entropy."""
    networks = actor_critic(ppo, "before")
    algorithm = PPO(
        interval=32,
        workers=2,
        batch=16,
        epochs=3,
        entropy_weight=0.01,
        optimizer=Optimiser(1e-2, clip=0.5, epsilon=1e-5),
        decay_steps=256,
    )
    left = algorithm.left(jnp.int32(64))
    assert left == LEFT

    @partial(jax.jit, compiler_options=QUICKLY)
    def train(networks, batch, orders):
        def epoch(carry, order):
            *carry, losses = algorithm.epoch(*carry, batch, order, left)
            return tuple(carry), losses

        weights = PPOWeights(networks, algorithm.optimizer.init(networks))
        (weights, _), losses = jax.lax.scan(epoch, (weights, jnp.zeros((), bool)), orders)
        return weights.networks, losses

    trained, losses = train(networks, BATCH_OF(networks, rollout_of(ppo)), ppo["orders"])
    close(trained, actor_critic(ppo, "whole"))
    close(losses.policy.mean(), ppo["whole_policy"])
    close(losses.value.mean(), ppo["whole_value"])
    close(losses.entropy.mean(), -ppo["whole_entropy"])
    close(losses.divergence[-1].mean(), ppo["whole_divergence"])


def test_statistics_of_a_rollout():
    """As VecNormalize has them: after its last step, that step's rewards are ours."""
    found = load_file(GOLDEN / "normalisation.safetensors")
    rollout = rollout_of(found | {"action": np.zeros((32, 2, 1), np.float32)})
    spec = Spec(3, Discrete(2))
    state = normalisation.init(spec, workers=2, observations=True, rewards=True)
    learned = jax.jit(partial(normalisation.learned, discount=0.99), compiler_options=QUICKLY)
    state, normalised = learned(state, rollout)
    close(state.observation.mean, found["mean"])
    close(state.observation.variance, found["variance"])
    close(state.returns.variance, found["return_variance"])
    close(state.running, found["running"])
    close(normalised.reward[-1], found["last_rewards"])


def off_policy_networks(found, prefix, count):
    def of(kind):
        each = [
            layers(found, *(f"{prefix}.critic{kind}.qf{k}.{i}" for i in (0, 2, 4)))
            for k in range(count)
        ]
        return Networks(
            layers(found, *(f"{prefix}.actor{kind}.mu.{i}" for i in (0, 2, 4))),
            jax.tree.map(lambda *x: jnp.stack(x), *each),
        )

    return of(""), of("_target")


@pytest.mark.parametrize("algorithm", [TD3(target_noise=0.5), DDPG()], ids=["td3", "ddpg"])
def test_two_updates_of_critics_policy_and_targets(algorithm):
    """Of TD3 the first is of the critics alone."""
    found = load_file(GOLDEN / f"{type(algorithm).__name__.lower()}.safetensors")
    batch = Experience(
        *(jnp.asarray(found[field]) for field in Experience._fields[:-1]),
        jnp.ones(len(found["reward"]), bool),
    )
    networks, targets = off_policy_networks(found, "0", algorithm.critics)
    optimizers = Networks(
        algorithm.policy_optimizer.init(networks.policy),
        algorithm.critic_optimizer.init(networks.critics),
    )
    weights = TD3Weights(networks, targets, optimizers)

    @partial(jax.jit, compiler_options=QUICKLY)
    def update(weights, noise):
        """The critics' loss and weights after their update; then the same of the policy."""
        errors = critics(weights.networks.critics, batch.observation, batch.action)
        errors = errors - algorithm.target(weights.targets, batch, noise)[None]
        weights = algorithm.update_critics(weights, batch, noise)
        action = policy(weights.networks.policy, batch.observation)
        value = critic(first_critic(weights.networks.critics), batch.observation, action)
        moved = algorithm.update_targets(algorithm.update_policy(weights, batch))
        return jnp.sum(jnp.mean(errors**2, axis=1)), weights, -jnp.mean(value), moved

    for number in (1, 2):
        noise = algorithm.target_noise * jnp.asarray(found[f"noise_{number}"])
        clipped = bool(jnp.abs(noise).max() > algorithm.target_noise_limit)
        assert clipped == (algorithm.target_noise > 0.0)
        critic_loss, weights, policy_loss, moved = update(weights, noise)
        close(critic_loss, found[f"critic_loss_{number}"])
        if number % algorithm.policy_delay == 0:
            close(policy_loss, found[f"actor_loss_{number}"])
            weights = moved
        expected, expected_targets = off_policy_networks(found, str(number), algorithm.critics)
        close(weights.networks, expected)
        close(weights.targets, expected_targets)
