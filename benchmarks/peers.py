"""Compares with evosax and gymnax: the same SymLA model, the same CartPole, the same sizes.

    python benchmarks/peers.py [--only steps | regret] [--repeats 5] [--json FILE]

Theirs is the loop that their users write: ask of Open_ES, the same lifetimes in gymnax, with its
auto-reset, for every candidate, tell of Open_ES. The learning rule is our SymLA in plain JAX. The
loop runs as one jitted program, as is usual, and also with the population sharded over the cores
as ours is. The time to reach a regret is also measured for RL^2 by policy gradient (rl2.py).
"""

# ruff: noqa: E402

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax

from symla.core.cpu import available_cores

# Before the other imports, because evosax and gymnax use jax when they are imported.
jax.config.update("jax_num_cpu_devices", available_cores())

import jax.numpy as jnp
import numpy as np
import optax
from rl2 import PolicyGradient

from symla.algorithms import SymLA
from symla.bench.measure import training
from symla.bench.shapes import TABLE, Shape
from symla.core.streams import Stream, stream_key
from symla.core.types import Discrete, Spec, Timestep
from symla.environments import Environment, IndependentBandit
from symla.evaluation.evaluate import meta_test
from symla.experiments.bandit_training import SearchSettings
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import new_percept, next_percept
from symla.rules.rule import Rule
from symla.runtime.devices import replicate, spread
from symla.runtime.provenance import provenance
from symla.store import write_json
from symla.training.generation import Training, init
from symla.training.loop import advance

try:
    import gymnax
    from evosax.algorithms import Open_ES
except ImportError as error:
    sys.exit(f"{error}: install the peers with: pip install 'symla[benchmarks]'")

SECONDS = 0.5  # of a timing at least
TARGET = 3.2  # regret on two arms over 100 pulls
PROBE_LIFETIMES, PROBE_SEED, PROBE_EVERY = 1000, 2**31, 10

CARTPOLE, CARTPOLE_PARAMS = gymnax.make("CartPole-v1")


@dataclass(frozen=True)
class GymnaxCartPole:
    """gymnax's CartPole-v1 as an environment of ours."""

    @property
    def spec(self) -> Spec:
        return Spec(4, Discrete(2), CARTPOLE_PARAMS.max_steps_in_episode)

    def sample_task(self, key):
        return ()

    def reset(self, key, task):
        observation, state = CARTPOLE.reset_env(key, CARTPOLE_PARAMS)
        return _typed(state), observation

    def step(self, key, task, state, action):
        with jax.numpy_dtype_promotion("standard"):
            result = CARTPOLE.step_env(key, state, action, CARTPOLE_PARAMS)
        observation, state, reward, terminated, _ = result
        truncated = CARTPOLE.is_truncated(state, CARTPOLE_PARAMS)
        return Timestep(_typed(state), observation, jnp.float32(reward), terminated, truncated)


def _typed(state):
    return state.replace(time=jnp.asarray(state.time, jnp.int32))


def rollout(algorithm: SymLA, params, key, length: int):
    """The sum of rewards over a lifetime in gymnax, with its auto-reset."""
    spec = Spec(4, Discrete(2))
    reset_key, learner_key, key = jax.random.split(key, 3)
    observation, state = CARTPOLE.reset(reset_key, CARTPOLE_PARAMS)
    learner = algorithm.init_state(params, learner_key, spec)

    def step(carry, key):
        learner, state, percept, t = carry
        action_key, step_key = jax.random.split(key)
        action, learner = algorithm.step(params, learner, percept, t, action_key)
        observation, state, reward, terminated, truncated, _ = CARTPOLE.step(
            step_key, state, action, CARTPOLE_PARAMS
        )
        percept = next_percept(
            observation, action, reward, terminated, truncated, observation, spec
        )
        return (learner, _typed(state), percept, t + 1), reward

    start = learner, _typed(state), new_percept(observation, spec), jnp.zeros((), jnp.int32)
    _, rewards = jax.lax.scan(step, start, jax.random.split(key, length))
    return jnp.sum(rewards)


def bandit_rollout(algorithm: SymLA, params, key, length: int):
    return lifetime(algorithm, IndependentBandit(2), params, key, length, record=None)[0]


@dataclass(frozen=True)
class Evolution:
    """Evolution strategies as both have them."""

    generations: int = 500
    population: int = 128
    lifetimes: int = 16
    sigma: float = 0.4
    learning_rate: float = 0.05
    annealing: int = 400


class Evosax:
    """Open_ES with SymLA in plain JAX and the settings of ours. evosax minimises."""

    def __init__(
        self,
        settings: Evolution,
        algorithm: SymLA,
        rollout: Callable[..., Any],
        length: int,
        sharded: bool,
        seed: int = 0,
    ):
        params = algorithm.init_params(jax.random.key(3 * seed), Spec(1, Discrete(2)))

        def annealed(value):  # to a quarter, as ours
            if not settings.annealing:
                return optax.constant_schedule(value)
            return optax.exponential_decay(value, settings.annealing, 0.25, end_value=value / 4)

        search = Open_ES(
            settings.population,
            params,
            optimizer=optax.adam(annealed(settings.learning_rate)),
            std_schedule=annealed(settings.sigma),
        )

        def returns(candidates, keys):
            def mean_return(params):
                return jnp.mean(jax.vmap(lambda key: rollout(algorithm, params, key, length))(keys))

            return jax.vmap(mean_return)(candidates)

        over_devices = spread(returns) if sharded else returns

        @partial(jax.jit, donate_argnums=0)
        def run(state, key, count):
            def body(i, state):
                ask_key, tell_key, lives_key = jax.random.split(jax.random.fold_in(key, i), 3)
                candidates, state = search.ask(ask_key, state, search.default_params)
                keys = jax.random.split(lives_key, settings.lifetimes)
                fitness = -over_devices(candidates, keys)
                return search.tell(tell_key, candidates, fitness, state, search.default_params)[0]

            return jax.lax.fori_loop(0, count, body, state)

        state = search.init(jax.random.key(3 * seed + 1), params, search.default_params)
        state = jax.tree.map(jnp.asarray, state)
        self.state = replicate(state) if sharded else state
        self.done, self._run, self._search, self._seed = 0, run, search, seed
        self.limit = settings.generations

    def advance(self, count: int) -> float:
        """Seconds that `count` generations took."""
        key = jax.random.fold_in(jax.random.key(3 * self._seed + 2), self.done)
        begun = time.perf_counter()
        self.state = jax.block_until_ready(self._run(self.state, key, count))
        self.done += count
        return time.perf_counter() - begun

    def rule(self) -> Rule:
        return Rule(SymLA(), jax.device_get(self._search.get_mean(self.state)))


class Ours:
    """Meta-training of symla, with the interface of `Evosax`."""

    def __init__(self, training: Training, limit: int = 0):
        self.limit = limit
        self.training, self.done, self.state = training, 0, replicate(init(training))
        self.key = replicate(stream_key(training.seed, Stream.TRAINING))

    def advance(self, count: int) -> float:
        done, count_ = (replicate(jnp.asarray(x, jnp.int32)) for x in (self.done, count))
        begun = time.perf_counter()
        state, _ = advance(self.training, self.key, self.state, done, count_)
        self.state = jax.block_until_ready(state)
        self.done += count
        return time.perf_counter() - begun

    def rule(self) -> Rule:
        return Rule(SymLA(), jax.device_get(self.training.outer.params(self.state.outer)))


def steps_per_second(shape: Shape, repeats: int) -> dict[str, Any]:
    """Of all programs on CartPole, timed in turns."""
    settings = Evolution(
        population=shape.population, lifetimes=shape.lifetimes, sigma=0.1, learning_rate=0.02,
        annealing=0,
    )  # fmt: skip
    plain = SymLA(shape.hidden, backend="plain")
    environment: Environment = GymnaxCartPole()
    runs = {
        "symla": Ours(training(shape, SymLA(shape.hidden), environment)),
        "symla, plain": Ours(training(shape, plain, environment)),
        "evosax + gymnax": Evosax(settings, plain, rollout, shape.length, sharded=False),
        "evosax + gymnax, spread": Evosax(settings, plain, rollout, shape.length, sharded=True),
    }
    compiling = {name: run.advance(0) for name, run in runs.items()}
    counts = {name: math.ceil(SECONDS / run.advance(1)) for name, run in runs.items()}
    timings: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            timings[name].append(run.advance(counts[name]) / counts[name])
    return {
        name: {
            "env_steps_per_second": shape.steps / float(np.median(seconds)),
            "spread": [shape.steps / max(seconds), shape.steps / min(seconds)],
            "compile_seconds": compiling[name],
        }
        for name, seconds in timings.items()
    }


def time_to_regret(seed: int) -> dict[str, Any]:
    """Seconds of training, without probes and compilation, until regret on two arms is TARGET."""
    settings = Evolution()
    outer = SearchSettings(**asdict(settings)).build()
    ours = Training(SymLA(), (IndependentBandit(2),), outer, settings.lifetimes, 100, seed)
    theirs = SymLA(backend="plain")
    runs = {
        "symla": Ours(ours, settings.generations),
        "evosax, spread": Evosax(settings, theirs, bandit_rollout, 100, sharded=True, seed=seed),
        "RL^2, policy gradient": PolicyGradient(seed),
    }
    results = {name: Result(run.advance(0)) for name, run in runs.items()}
    unfinished = dict(runs)
    while unfinished:  # in turns, so that other load affects all of them alike
        for name, run in list(unfinished.items()):
            results[name].after(run)
            if results[name].reached or run.done >= run.limit:
                del unfinished[name]
    return {name: asdict(result) for name, result in results.items()}


@dataclass
class Result:
    """The state of a training run, and its seconds so far."""

    compile_seconds: float
    seconds: float = 0.0
    generations: int = 0
    regret: float = math.inf
    reached: bool = False

    def after(self, run: Ours | Evosax | PolicyGradient) -> None:
        """Train PROBE_EVERY generations, then measure the regret, which does not count as time."""
        self.seconds += run.advance(PROBE_EVERY)
        self.generations = run.done
        probe = meta_test(run.rule(), "bandit-arms-2", PROBE_LIFETIMES, 100, PROBE_SEED)
        self.regret = probe.regret.mean
        self.reached = self.regret <= TARGET


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", choices=("steps", "regret"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the trainings")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report: dict[str, Any] = {**provenance(), "load": os.getloadavg()[0]}
    print(f"{report['hardware']}, load {report['load']:.1f}, revision {report['revision']}")
    if options.only != "regret":
        report["steps"] = steps_per_second(TABLE["4x2"], options.repeats)
        for name, row in report["steps"].items():
            low, high = row["spread"]
            rate, compiling = row["env_steps_per_second"], row["compile_seconds"]
            print(f"{name:<26}{rate:.3g} env-steps/s ({low:.3g} .. {high:.3g}), "
                  f"compiling {compiling:.1f} s")  # fmt: skip
    if options.only != "steps":
        report["regret"] = {}
        for seed in options.seeds:
            report["regret"][seed] = time_to_regret(seed)
            for name, row in report["regret"][seed].items():
                found = "reached" if row["reached"] else "not reached, regret"
                print(f"seed {seed}: {name:<24}{found} {row['regret']:.2f} after "
                      f"{row['generations']} generations, {row['seconds']:.1f} s, "
                      f"compiling {row['compile_seconds']:.1f} s", flush=True)  # fmt: skip
    if options.json:
        write_json(options.json, report)


if __name__ == "__main__":
    main()
