"""Bernoulli bandits: K arms, each pays 1 with its own probability, fixed for a lifetime.

The two-armed ones are the five settings of Wang et al. 2016, "Learning to reinforcement learn".
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.errors import require
from symla.core.types import Action, Discrete, Observation, PRNGKey, Spec, Timestep

Payouts = Float[Array, " B"]


@dataclass(frozen=True)
class IndependentBandit:
    """Payouts p_b ~ U[0, 1], independent; the task is the payouts [arms].

    Raises SettingError for fewer than 2 arms.
    """

    arms: int = 2

    def __post_init__(self):
        require(self.arms >= 2, f"a bandit needs at least 2 arms, got {self.arms}")

    @property
    def spec(self) -> Spec:
        return _spec(self.arms)

    def sample_task(self, key: PRNGKey) -> Payouts:
        return jax.random.uniform(key, (self.arms,))

    def reset(self, key: PRNGKey, task: Payouts) -> tuple[tuple[()], Observation]:
        return (), jnp.ones(1)

    def step(self, key: PRNGKey, task: Payouts, state: tuple[()], action: Action) -> Timestep:
        return _pull(key, task, action)

    def regret(self, task: Payouts, action: Int[Array, "*L"]) -> Float[Array, "*L"]:
        """Expected regret of each pull."""
        return _regret(task, action)

    def advice(self, task: Payouts, state: tuple[()]) -> Action:
        """The arm that pays most."""
        return jnp.argmax(task).astype(jnp.int32)


@dataclass(frozen=True)
class DependentBandit:
    """Two arms with p_1 = 1 - p_0; the task is the payouts [2].

    p_0 ~ U[0, 1], or, where `low` is given, `low` or 1 - `low` with equal probability: 0.1 easy,
    0.25 medium, 0.4 hard in Wang et al. Raises SettingError for a `low` outside [0, 0.5].
    """

    low: float | None = None

    def __post_init__(self):
        require(
            self.low is None or 0.0 <= self.low <= 0.5,
            f"the lower payout must lie between 0 and 0.5, got {self.low}",
        )

    @property
    def spec(self) -> Spec:
        return _spec(2)

    def sample_task(self, key: PRNGKey) -> Payouts:
        if self.low is None:
            first = jax.random.uniform(key)
        else:
            first = jnp.where(jax.random.bernoulli(key), self.low, 1.0 - self.low)
        return jnp.stack([first, 1.0 - first])

    def reset(self, key: PRNGKey, task: Payouts) -> tuple[tuple[()], Observation]:
        return (), jnp.ones(1)

    def step(self, key: PRNGKey, task: Payouts, state: tuple[()], action: Action) -> Timestep:
        return _pull(key, task, action)

    def regret(self, task: Payouts, action: Int[Array, "*L"]) -> Float[Array, "*L"]:
        """Expected regret of each pull."""
        return _regret(task, action)

    def advice(self, task: Payouts, state: tuple[()]) -> Action:
        """The arm that pays most."""
        return jnp.argmax(task).astype(jnp.int32)


@dataclass(frozen=True)
class BiasedBandit(IndependentBandit):
    """As the independent one; but in most lifetimes the same arm pays most.

    With probability `bias` the arm `favoured` has the largest of the payouts, else any other arm
    has. Who learns that by heart fails where another arm is favoured (section 1 of Kirsch et al.
    2022). Raises SettingError for fewer than 2 arms, and outside ranges.
    """

    favoured: int = 0
    bias: float = 0.9

    def __post_init__(self):
        super().__post_init__()
        require(
            0 <= self.favoured < self.arms,
            f"favoured must be an arm, 0 to {self.arms - 1}, got {self.favoured}",
        )
        require(0.0 <= self.bias <= 1.0, f"bias is a probability, 0 to 1, got {self.bias}")

    def sample_task(self, key: PRNGKey) -> Payouts:
        payout_key, whether, which = jax.random.split(key, 3)
        payouts = super().sample_task(payout_key)
        other = (self.favoured + jax.random.randint(which, (), 1, self.arms)) % self.arms
        best = jnp.where(jax.random.bernoulli(whether, self.bias), self.favoured, other)
        now = jnp.argmax(payouts)
        return payouts.at[now].set(payouts[best]).at[best].set(payouts[now])


def _spec(arms: int) -> Spec:
    """The observation is the constant 1, and there are no episodes."""
    return Spec(1, Discrete(arms), one_hot=True)


def _pull(key: PRNGKey, payouts: Payouts, action: Action) -> Timestep:
    reward = (jax.random.uniform(key) < payouts[action]).astype(jnp.float32)
    never = jnp.zeros((), bool)
    return Timestep((), jnp.ones(1), reward, terminated=never, truncated=never)


def _regret(payouts: Payouts, action: Int[Array, "*L"]) -> Float[Array, "*L"]:
    """mu* - mu_a, the expected regret of each pull."""
    return jnp.max(payouts) - payouts[action]
