"""RL^2 by policy gradient on the two-armed bandit, for comparison with evolution strategies.

The MetaRNN of the package with a value output, A2C with generalised advantage estimation, and Adam;
the batch is sharded over all cores. `python benchmarks/rl2.py --seed 0 [--learning-rate ...]` tries
settings; `peers.py` times it together with the others.
"""

import argparse
import time
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax

from symla.algorithms import MetaRNN
from symla.core.networks import init_linear, linear
from symla.environments import IndependentBandit
from symla.lifetimes.percepts import new_percept, next_percept
from symla.rules.rule import Rule
from symla.runtime.devices import replicate, spread

BANDIT, LENGTH = IndependentBandit(2), 100


@dataclass(frozen=True)
class Settings:
    """The best of six settings that were tried on seed 0; see docs/performance.md."""

    hidden: int = 64
    batch: int = 128  # lifetimes per update
    learning_rate: float = 4e-3
    discount: float = 0.8
    trace: float = 0.95  # lambda of the advantages
    entropy: float = 0.1  # weight of the entropy at first; falls linearly to 0 over `updates`
    value: float = 0.25  # weight of the critic's squared error
    updates: int = 1000


def run_lifetime(model: MetaRNN, params, key):
    """Log-probability of the action, entropy, value and reward of each step of one lifetime."""
    actor, critic = params
    task_key, action_key, step_key = jax.random.split(key, 3)
    task = BANDIT.sample_task(task_key)

    def step(carry, t):
        state, percept = carry
        policy, state = model.update(actor, state, percept)
        action = policy.sample(jax.random.fold_in(action_key, t))
        timestep = BANDIT.step(jax.random.fold_in(step_key, t), task, (), action)
        _, observation, reward, terminated, truncated = timestep
        seen = action, reward, terminated, truncated, observation
        percept = next_percept(observation, *seen, BANDIT.spec)
        outputs = (
            policy.log_probability(action),
            policy.entropy(),
            linear(critic, state.hidden)[0],
            timestep.reward,
        )
        return (state, percept), outputs

    start = model.init_state(actor, key, BANDIT.spec), new_percept(jnp.ones(1), BANDIT.spec)
    return jax.lax.scan(step, start, jnp.arange(LENGTH))[1]


def loss(settings: Settings, model: MetaRNN, params, keys, entropy_weight):
    """The loss of A2C over a batch of lifetimes."""
    log, entropy, value, reward = jax.vmap(partial(run_lifetime, model, params))(keys)
    next_value = jnp.concatenate([value[:, 1:], jnp.zeros((len(keys), 1))], axis=1)
    td_error = jax.lax.stop_gradient(reward + settings.discount * next_value - value)

    def backwards(next_advantage, td_error):
        advantage = td_error + settings.discount * settings.trace * next_advantage
        return advantage, advantage

    advantage = jax.lax.scan(backwards, jnp.zeros(len(keys)), td_error.T, reverse=True)[1].T
    target = advantage + jax.lax.stop_gradient(value)
    scaled = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
    return (
        -jnp.mean(log * scaled)
        - entropy_weight * jnp.mean(entropy)
        + settings.value * jnp.mean((value - target) ** 2)
    )


class PolicyGradient:
    """Meta-training of RL^2, with the interface of the programs in peers.py."""

    def __init__(self, seed: int, settings: Settings = Settings()):
        self.model, self.done, self.limit = MetaRNN(settings.hidden), 0, settings.updates
        optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(settings.learning_rate))
        devices = len(jax.devices())
        gradients = jax.vmap(jax.grad(partial(loss, settings, self.model)), (None, 0, None))
        over_devices = spread(lambda keys, params, weight: gradients(params, keys, weight))

        @partial(jax.jit, donate_argnums=0)
        def run(state, key, done, count):
            def body(i, state):
                params, optimizer_state = state
                keys = jax.random.split(jax.random.fold_in(key, i), settings.batch)
                weight = settings.entropy * jnp.maximum(0.0, 1.0 - i / settings.updates)
                parts = over_devices(keys.reshape(devices, -1), params, weight)
                gradient = jax.tree.map(lambda x: jnp.mean(x, axis=0), parts)
                with jax.numpy_dtype_promotion("standard"):
                    step, optimizer_state = optimizer.update(gradient, optimizer_state, params)
                return optax.apply_updates(params, step), optimizer_state

            return jax.lax.fori_loop(done, done + count, body, state)

        init_key, value_key = jax.random.split(jax.random.key(seed))
        actor = self.model.init_params(init_key, BANDIT.spec)
        params = actor, init_linear(value_key, settings.hidden, 1)
        self._state = replicate((params, optimizer.init(params)))
        self._key, self._run = replicate(jax.random.key(seed + 1000)), run

    def advance(self, count: int) -> float:
        """Seconds that `count` updates took."""
        done, count_ = (replicate(jnp.asarray(x, jnp.int32)) for x in (self.done, count))
        begun = time.perf_counter()
        self._state = jax.block_until_ready(self._run(self._state, self._key, done, count_))
        self.done += count
        return time.perf_counter() - begun

    def rule(self) -> Rule:
        return Rule(self.model, jax.device_get(self._state[0][0]))


def main() -> None:
    from symla.evaluation.evaluate import meta_test

    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=0)
    names = {"batch": int, "learning_rate": float, "discount": float, "entropy": float}
    for name, kind in (names | {"hidden": int, "updates": int, "trace": float}).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind)
    options = vars(parser.parse_args())
    seed = options.pop("seed")
    run = PolicyGradient(seed, Settings(**{k: v for k, v in options.items() if v is not None}))
    run.advance(0)
    seconds = 0.0
    while run.done < run.limit:
        seconds += run.advance(50)
        regret = meta_test(run.rule(), "bandit-arms-2", 1000, LENGTH, 2**31).regret.mean
        print(f"{run.done:>5} updates {seconds:6.1f} s, regret {regret:.2f}", flush=True)


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    main()
