"""Hand-made learning algorithms for Bernoulli bandits, the references for learned ones.

Their state is the number of pulls and of wins of each arm. They ignore observations. Rewards must
be 0 or 1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from symla.core.distributions import NOT_FINITE
from symla.core.errors import SizeError, require
from symla.core.types import Action, Continuous, Discrete, Percept, PRNGKey, Spec


class Counts(NamedTuple):
    """Pulls and wins of each arm."""

    pulls: Float[Array, " B"]
    wins: Float[Array, " B"]


def _init_counts(spec: Spec) -> Counts:
    """Raises SizeError for continuous actions."""
    if isinstance(spec.action, Continuous):
        raise SizeError(
            "ucb1, thompson and bayes-optimal choose among arms, and this environment has "
            f"continuous actions ({spec.action_size} numbers): take random"
        )
    return Counts(jnp.zeros(spec.action_size), jnp.zeros(spec.action_size))


def _count(counts: Counts, percept: Percept) -> Counts:
    """Add the last pull. At t = 0 the previous action is all zeros and adds nothing."""
    return Counts(counts.pulls + percept.action, counts.wins + percept.action * percept.reward)


@dataclass(frozen=True)
class UCB1:
    """Auer et al. 2002: each arm once, then the arm of the largest mean + sqrt(2 ln t / pulls)."""

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: tuple[()], key: PRNGKey, spec: Spec) -> Counts:
        return _init_counts(spec)

    def step(
        self, params: tuple[()], state: Counts, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, Counts]:
        pulls, wins = state = _count(state, percept)
        played = jnp.maximum(t, 1).astype(jnp.float32)
        bonus = jnp.sqrt(2.0 * jnp.log(played) / jnp.maximum(pulls, 1.0))
        index = jnp.where(pulls > 0, wins / jnp.maximum(pulls, 1.0) + bonus, jnp.inf)
        return jnp.argmax(index).astype(jnp.int32), state


@dataclass(frozen=True)
class Thompson:
    """Thompson sampling: the best of payouts drawn from Beta(1 + wins, 1 + losses).

    It is for rewards from 0 to 1. Where others leave nothing to draw from, it has no action.
    """

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: tuple[()], key: PRNGKey, spec: Spec) -> Counts:
        return _init_counts(spec)

    def step(
        self, params: tuple[()], state: Counts, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, Counts]:
        pulls, wins = state = _count(state, percept)
        sampled = jax.random.beta(key, 1.0 + wins, 1.0 + pulls - wins)
        arm = jnp.argmax(sampled).astype(jnp.int32)
        return jnp.where(jnp.all(jnp.isfinite(sampled)), arm, NOT_FINITE), state


class Plan(NamedTuple):
    """The best arm for all counts of pulls and wins: a block of (wins0, wins1) for each pulls."""

    arm: Int[Array, " states"]
    start: Int[Array, "horizon horizon"]  # [pulls0, pulls1] -> index of its block in `arm`


MAX_HORIZON = 200  # the plan has about horizon^4 / 24 entries


def plan(horizon: int) -> Plan:
    """The optimal policy for two independent Bernoulli arms of uniform payouts: backward induction.

    V(n, s) = max_i E_i[r + V(n', s')] over pulls n and wins s; the payout of arm i is
    Beta(1 + s_i, 1 + n_i - s_i), so it wins with probability (1 + s_i) / (2 + n_i).
    """

    def value(pulls, wins, after_win, after_loss):
        """Expected return of pulling an arm that won `wins` of `pulls` times."""
        chance = (1.0 + wins) / (2.0 + pulls)
        return chance * (1.0 + after_win) + (1.0 - chance) * after_loss

    next_values = [np.zeros((n + 1, horizon - n + 1)) for n in range(horizon + 1)]
    blocks: dict[tuple[int, int], np.ndarray] = {}
    for pulled in range(horizon - 1, -1, -1):
        values = []
        for n0 in range(pulled + 1):
            n1 = pulled - n0
            wins0, wins1 = np.arange(n0 + 1)[:, None], np.arange(n1 + 1)[None, :]
            first = value(n0, wins0, next_values[n0 + 1][1:], next_values[n0 + 1][:-1])
            second = value(n1, wins1, next_values[n0][:, 1:], next_values[n0][:, :-1])
            blocks[n0, n1] = second > first
            values.append(np.maximum(first, second))
        next_values = values

    start = np.zeros((horizon, horizon), np.int32)
    sizes = np.array([block.size for block in blocks.values()])
    for (n0, n1), begin in zip(blocks, np.cumsum(sizes) - sizes):
        start[n0, n1] = begin
    arm = np.concatenate([block.ravel() for block in blocks.values()]).astype(np.int8)
    return Plan(jnp.asarray(arm), jnp.asarray(start))


@dataclass(frozen=True)
class BayesOptimal:
    """The optimal policy for two arms, given the prior distribution of their payouts.

    Independent uniform payouts: exact dynamic programming over `horizon` pulls, then greedy.
    Dependent payouts p1 = 1 - p0: greedy on the posterior, which is optimal because a pull of
    either arm gives the same information. Raises SettingError unless 1 <= horizon <= 200.
    """

    horizon: int = 100
    dependent: bool = False

    def __post_init__(self):
        require(
            self.dependent or 1 <= self.horizon <= MAX_HORIZON,
            f"the exact Bayes-optimal plan takes about length^4 / 24 entries: the length must be "
            f"between 1 and {MAX_HORIZON}, got {self.horizon}. Take thompson for longer lifetimes",
        )

    def init_params(self, key: PRNGKey, spec: Spec) -> Plan | tuple[()]:
        return () if self.dependent else plan(self.horizon)

    def init_state(self, params: Plan | tuple[()], key: PRNGKey, spec: Spec) -> Counts:
        if spec.action != Discrete(2):
            raise SizeError(
                f"bayes-optimal is for bandits of two arms, and this environment has "
                f"{spec.action_size}: take thompson or ucb1"
            )
        return _init_counts(spec)

    def step(
        self, params: Plan | tuple[()], state: Counts, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, Counts]:
        pulls, wins = state = _count(state, percept)
        if self.dependent:
            evidence = 2.0 * wins - pulls  # wins - losses
            return (evidence[1] > evidence[0]).astype(jnp.int32), state
        assert isinstance(params, Plan)
        return jnp.where(t < self.horizon, _planned(params, state), _greedy(state)), state


def _planned(plan: Plan, counts: Counts) -> Action:
    n0, n1 = counts.pulls.astype(jnp.int32)
    s0, s1 = counts.wins.astype(jnp.int32)
    return plan.arm[plan.start[n0, n1] + s0 * (n1 + 1) + s1].astype(jnp.int32)


def _greedy(counts: Counts) -> Action:
    mean = (1.0 + counts.wins) / (2.0 + counts.pulls)
    return jnp.argmax(mean).astype(jnp.int32)
