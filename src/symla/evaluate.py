"""Meta-testing: frozen meta-parameters live many lifetimes; what comes out are statistics."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from symla.algorithms.base import LearningAlgorithm, Rule
from symla.devices import spread
from symla.environments import Environment, knows_regret, make
from symla.errors import require
from symla.lifetime import lifetime
from symla.types import Params, PRNGKey

BATCH = 512  # lifetimes lived at once: bounds memory
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
class Evaluation:
    """What a rule reached. `return_` sums the rewards of a lifetime, `regret` what was missed."""

    lifetimes: int
    length: int
    seed: int
    return_: Estimate
    regret: Estimate | None  # None: the environment does not know its regret
    reward_per_step: tuple[float, ...]  # mean over lifetimes, of each step
    cumulative_regret: tuple[Estimate, ...]  # up to and including each step; empty if unknown

    def to_json(self) -> dict[str, Any]:
        return {
            "lifetimes": self.lifetimes,
            "length": self.length,
            "seed": self.seed,
            "return": asdict(self.return_),
            "regret": asdict(self.regret) if self.regret else None,
            "reward_per_step": list(self.reward_per_step),
        }


def meta_test(
    rule: Rule,
    environment: Environment | str,
    lifetimes: int = 1000,
    length: int = 100,
    seed: int = 0,
) -> Evaluation:
    """Let `rule` live `lifetimes` lifetimes of `length` steps each, its meta-parameters frozen.

    `environment` is an object or the name of one. The same seed gives the same tasks to every
    rule. Raises SettingError for fewer than 2 lifetimes or a length below 1, UnknownNameError for
    an unknown name, SizeError if the rule cannot take the environment's sizes.
    """
    reward, regret = live(rule, environment, lifetimes, length, seed)
    curve = ()
    if regret is not None:
        curve = tuple(map(estimate, np.cumsum(regret, axis=1, dtype=np.float64).T))
    return Evaluation(
        lifetimes=lifetimes,
        length=length,
        seed=seed,
        return_=estimate(reward.sum(axis=1, dtype=np.float64)),
        regret=curve[-1] if curve else None,
        reward_per_step=tuple(reward.mean(axis=0, dtype=np.float64).tolist()),
        cumulative_regret=curve,
    )


def live(
    rule: Rule, environment: Environment | str, lifetimes: int, length: int, seed: int
) -> tuple[Rewards, Rewards | None]:
    """Reward and regret of each step of each lifetime; regret None where it is not known.

    Raises what `meta_test` does.
    """
    require(lifetimes >= 2, f"lifetimes must be at least 2, for an interval; got {lifetimes}")
    require(length >= 1, f"length must be at least 1 step, got {length}")
    require(0 <= seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {seed}")
    environment = make(environment) if isinstance(environment, str) else environment
    key = jax.random.fold_in(jax.random.key(seed), TEST_STREAM)
    batches = [
        jax.device_get(_live(rule.algorithm, environment, length, rule.params, key, first))
        for first in range(0, lifetimes, BATCH)
    ]
    reward, regret = (
        None if part[0] is None else np.concatenate(part)[:lifetimes] for part in zip(*batches)
    )
    return reward, regret


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
