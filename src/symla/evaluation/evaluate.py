"""Meta-testing: frozen meta-parameters live many lifetimes; what comes out are statistics."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from symla.algorithms.base import LearningAlgorithm
from symla.bridge.gymnasium_environment import PREFIX, GymnasiumEnvironment
from symla.core.errors import FaultyEnvironmentError, require
from symla.core.types import Params, PRNGKey, Trace
from symla.environments import Environment, knows_regret, make
from symla.lifetimes.host import host_lifetimes
from symla.lifetimes.lifetime import lifetime
from symla.rules.rule import Rule
from symla.runtime.devices import spread

BATCH = 512  # lifetimes lived at once: bounds memory
HOST_BATCH = 128  # the same, where each has an environment of its own on the host
TEST_STREAM = 0x7E57  # keeps the tasks of tests apart from those that training with this seed sees


Rewards = Float[np.ndarray, "lifetimes L"]


@dataclass(frozen=True)
class Estimate:
    """A mean over lifetimes, and the half-width of its 95% confidence interval."""

    mean: float
    ci95: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.ci95:.2f}"


@dataclass(frozen=True)
class Episodes:
    """What a rule learned while it lived: its first episode beside the last one that ended.

    Means over those lifetimes in which at least two episodes ended.
    """

    ended: int  # of all lifetimes together
    lifetimes: int  # that the means are of
    first_return: Estimate
    last_return: Estimate
    first_length: Estimate
    last_length: Estimate


@dataclass(frozen=True)
class Evaluation:
    """What a rule reached. `return_` sums the rewards of a lifetime, `regret` what was missed."""

    lifetimes: int
    length: int
    seed: int
    return_: Estimate
    regret: Estimate | None  # None: the environment does not know its regret
    reward_per_step: tuple[float, ...]  # mean over lifetimes, of each step
    cumulative_regret: tuple[Estimate, ...]  # up to and including each step; empty if unknown
    episodes: Episodes | None = None  # None: of an environment in JAX, or hardly any ended

    def to_json(self) -> dict[str, Any]:
        episodes = {"episodes": asdict(self.episodes)} if self.episodes else {}
        return episodes | {
            "lifetimes": self.lifetimes,
            "length": self.length,
            "seed": self.seed,
            "return": asdict(self.return_),
            "regret": asdict(self.regret) if self.regret else None,
            "reward_per_step": list(self.reward_per_step),
        }


def meta_test(
    rule: Rule,
    environment: Environment | GymnasiumEnvironment | str,
    lifetimes: int = 1000,
    length: int = 100,
    seed: int = 0,
) -> Evaluation:
    """Let `rule` live `lifetimes` lifetimes of `length` steps each, its meta-parameters frozen.

    `environment` is an object or the name of one, "gymnasium:ID" for one of Gymnasium. The same
    seed gives the same tasks to every rule. Raises SettingError for fewer than 2 lifetimes or a
    length below 1, UnknownNameError for an unknown name, SizeError if the rule cannot take the
    environment's sizes, FaultyEnvironmentError, with what was `measured` before, if an environment
    of Gymnasium fails.
    """
    environment = find(environment) if isinstance(environment, str) else environment
    if isinstance(environment, GymnasiumEnvironment):
        return _test_on_host(rule, environment, lifetimes, length, seed)
    return _evaluation(seed, *live(rule, environment, lifetimes, length, seed))


def find(name: str, time_limit: float = 60.0) -> Environment | GymnasiumEnvironment:
    """The environment of that name, in JAX or of Gymnasium. `time_limit`, in seconds, is for one
    call of the latter. Raises UnknownNameError with the nearest names."""
    if name.startswith(PREFIX):
        return GymnasiumEnvironment(name.removeprefix(PREFIX), time_limit)
    return make(name)


def _evaluation(
    seed: int, reward: Rewards, regret: Rewards | None = None, episodes: Episodes | None = None
) -> Evaluation:
    curve = ()
    if regret is not None:
        curve = tuple(map(estimate, np.cumsum(regret, axis=1, dtype=np.float64).T))
    return Evaluation(
        lifetimes=reward.shape[0],
        length=reward.shape[1],
        seed=seed,
        return_=estimate(reward.sum(axis=1, dtype=np.float64)),
        regret=curve[-1] if curve else None,
        reward_per_step=tuple(reward.mean(axis=0, dtype=np.float64).tolist()),
        cumulative_regret=curve,
        episodes=episodes,
    )


def live(
    rule: Rule, environment: Environment | str, lifetimes: int, length: int, seed: int
) -> tuple[Rewards, Rewards | None]:
    """Reward and regret of each step of each lifetime; regret None where it is not known.

    Raises what `meta_test` does.
    """
    key = _test_key(lifetimes, length, seed)
    environment = make(environment) if isinstance(environment, str) else environment
    batches = [
        jax.device_get(_live(rule.algorithm, environment, length, rule.params, key, first))
        for first in range(0, lifetimes, BATCH)
    ]
    reward, regret = (
        None if part[0] is None else np.concatenate(part)[:lifetimes] for part in zip(*batches)
    )
    return reward, regret


def _test_key(lifetimes: int, length: int, seed: int) -> PRNGKey:
    """What all lifetimes of a test follow from. Raises SettingError outside ranges."""
    require(lifetimes >= 2, f"lifetimes must be at least 2, for an interval; got {lifetimes}")
    require(length >= 1, f"length must be at least 1 step, got {length}")
    require(0 <= seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {seed}")
    return jax.random.fold_in(jax.random.key(seed), TEST_STREAM)


def estimate(samples: Float[np.ndarray, " lifetimes"]) -> Estimate:
    """Mean and normal 95% interval, 1.96 standard errors."""
    error = np.std(samples, ddof=1) / np.sqrt(samples.size)
    return Estimate(float(np.mean(samples)), float(1.96 * error))


@partial(jax.jit, static_argnames=("algorithm", "environment", "length"))
def _live(
    algorithm: LearningAlgorithm,
    environment: Environment,
    length: int,
    params: Params,
    key: PRNGKey,
    first: int | Int[Array, ""],
) -> tuple[Float[Array, "batch L"], Float[Array, "batch L"] | None]:
    """Reward and regret of every step of the lifetimes from number `first`, over all devices.

    Lifetime i follows from (key, i) alone. One compilation serves any number of lifetimes.
    """

    def one(number, params, key):
        own_key = jax.random.fold_in(key, number)
        _, task, trace = lifetime(algorithm, environment, params, own_key, length)
        known = knows_regret(environment)
        return trace.reward, environment.regret(task, trace.action) if known else None

    return spread(jax.vmap(one, (0, None, None)))(
        jnp.arange(BATCH) + jnp.asarray(first, jnp.int32), params, key
    )


def _test_on_host(
    rule: Rule,
    environment: GymnasiumEnvironment,
    lifetimes: int,
    length: int,
    seed: int,
) -> Evaluation:
    """A failing environment ends the test, and takes with it what was measured before."""
    key = _test_key(lifetimes, length, seed)
    finished: list[Trace] = []
    for first in range(0, lifetimes, HOST_BATCH):
        numbers = jnp.arange(first, min(first + HOST_BATCH, lifetimes))
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
        steps: list[Trace] = []
        lives = host_lifetimes(rule.algorithm, environment, rule.params, keys, length, first)
        try:
            steps.extend(lives)
        except FaultyEnvironmentError as fault:
            if finished or steps:
                fault.measured = _of_traces(seed, finished or [_of_steps(steps)])
            raise
        finished.append(_of_steps(steps))
    return _of_traces(seed, finished)


def _of_steps(steps: list[Trace]) -> Trace:
    return jax.tree.map(lambda *parts: np.stack(parts, axis=1), *steps)


def _of_traces(seed: int, traces: list[Trace]) -> Evaluation:
    lived = jax.tree.map(lambda *parts: np.concatenate(parts), *traces)
    return _evaluation(seed, lived.reward, episodes=_episodes(lived))


def _episodes(lived: Trace) -> Episodes | None:
    done = lived.terminated | lived.truncated
    earned = np.cumsum(lived.reward, axis=1, dtype=np.float64)
    rows = []
    for ends, total in zip(map(np.flatnonzero, done), earned):
        if len(ends) >= 2:
            before, last = ends[-2:]
            returns = total[ends[0]], total[last] - total[before]
            rows.append((*returns, ends[0] + 1, last - before))
    if len(rows) < 2:  # no interval
        return None
    means = map(estimate, np.asarray(rows, dtype=np.float64).T)
    return Episodes(int(done.sum()), len(rows), *means)
