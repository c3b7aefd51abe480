"""`RandomTasks`: another task in each lifetime, of any of several families, with its optimum."""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.core.errors import require
from symla.core.random_numbers import fast_key
from symla.core.types import Action, Discrete, Observation, PRNGKey, Scalar, Spec, Timestep
from symla.environments.random_tasks.composing import (
    at_times,
    ending,
    rewarded,
    shaped,
    slipping,
    with_own_actions,
)
from symla.environments.random_tasks.draws import (
    Bounds,
    Draw,
    Family,
    System,
    Table,
    happens,
    in_any_order,
    number,
    sampled,
    whole,
)
from symla.environments.random_tasks.families import TASK_FAMILIES, family
from symla.environments.random_tasks.observing import Kind, StateView, draw_view, needed_size, see
from symla.environments.random_tasks.solving import (
    after,
    gap,
    optimal_values,
    random_value,
    regulator_scores,
)
from symla.environments.regulator import cost_to_go

LEAST_GAP = 0.1  # between optimum and random play, see `gap`: a task below it teaches nothing
EFFORT = 0.01  # what the regulator pays for a unit of control
SAME = 1e-4  # relative: actions whose values differ by less are equally good
# Good, neither, bad: the shares of all draws are equal with these, and `ends` of a half.
ENDS = (0.23, 0.28, 0.49)
UNIT = 3.0**0.5  # times a number uniform in [-1, 1] has a variance of 1


class RandomTask(NamedTuple):
    """What a lifetime keeps: the table and the system in which it lives, what is seen of them, and
    how good every action is."""

    table: Table
    cumulative: Float[Array, "S B S"]  # of the table's transitions
    system: System
    view: StateView
    jitter: Scalar  # standard deviation of a noise on all rewards
    limit: Int[Array, ""]  # steps of an episode
    values: Float[Array, "S B"]  # Q*
    cost: Float[Array, "D D"]  # of the system: the regulator's cost to go


class RandomState(NamedTuple):
    """Where the table and the system are, and the number of steps taken in the episode."""

    cell: Int[Array, ""]
    x: Float[Array, " D"]
    step: Int[Array, ""]


@dataclass(frozen=True)
class RandomTasks:
    """In each lifetime a task of one of the `families` (docs/training.md has them), of any size.

    Tables have up to `states` states; draws of all families have up to `actions` actions, whose
    order is drawn, and linear systems up to four dimensions. Where there are fewer actions some of
    the `actions` do the same. Observations have `inputs` numbers, by default one for each state, in
    any of the kinds `observations`; with probability `irrelevant` inputs that show nothing are
    noise, with probability `aliased` two states look the same.

    With probability `altered` the rewards of a lifetime are multiplied by a number that is
    log-uniform between the two ends of `scale`, and one uniform between those of `shift` is added
    to each step's; with probability `dense` what an action earns besides is how much better it made
    things look, discount V*(s') - V*(s) times a number up to 1, which changes no optimal action
    (Ng et al. 1999); with probability `noisy` all rewards have noise, and with probability
    `slippery` another action, any one, is taken at times. With probability `ends` what is paid for
    the end of an episode is drawn anew: families by themselves have more good ends than bad ones,
    and a rule should not believe that an end is either; with a half, ends are good, neutral and bad
    in about equal shares. An episode is truncated after a number of steps between the two of
    `episode`, drawn once a lifetime, families of long ways nearer to the second.

    The optimal actions, which `advice` tells, are those of the discounted return of an episode
    without a limit of time: exact for tables, by policy iteration. For linear systems they are the
    ones nearest to the linear-quadratic regulator's. Each table is drawn `draws` times at most,
    until there is one whose optimum is better than random play by LEAST_GAP of its largest reward:
    a goal that cannot be reached, or is not worth it, teaches nothing.

    `weights` are those of the families, equal if there are none. A family of a person's own is
    package.module:FUNCTION. Raises SettingError outside ranges, UnknownNameError for a family that
    does not exist.
    """

    families: tuple[str, ...] = tuple(TASK_FAMILIES)
    weights: tuple[float, ...] = ()
    states: int = 16  # S
    actions: int = 4  # B
    inputs: int = 0  # A; 0: one for each state
    observations: tuple[Kind, ...] = ("one-hot", "one-hot", "paired", "dense", "projected")
    irrelevant: float = 0.1
    aliased: float = 0.05
    altered: float = 0.5
    scale: tuple[float, float] = (0.3, 3.0)
    shift: tuple[float, float] = (-0.5, 0.5)
    dense: float = 0.3
    noisy: float = 0.2
    slippery: float = 0.2
    ends: float = 0.5
    episode: tuple[int, int] = (12, 32)
    discount: float = 0.95
    draws: int = 2

    def __post_init__(self):
        require(len(self.families) >= 1, "families must name at least one")
        for name in self.families:
            family(name)
        require(
            len(self.weights) in (0, len(self.families)) and all(w >= 0 for w in self.weights),
            f"weights must be one number of at least 0 for each of the families: {self.weights}",
        )
        require(not self.weights or sum(self.weights) > 0, "weights must not all be 0")
        require(self.states >= 4, f"states must be at least 4, got {self.states}")
        require(self.actions >= 2, f"actions must be at least 2, got {self.actions}")
        unknown = [kind for kind in self.observations if kind not in get_args(Kind)]
        require(
            len(self.observations) >= 1 and not unknown,
            f"observations must be some of {', '.join(get_args(Kind))}, got {self.observations}",
        )
        least = needed_size(self.observations, self.states)
        require(
            self.inputs == 0 or self.inputs >= least,
            f"inputs must be at least {least} to show {self.states} states as they should be, or "
            f"0, got {self.inputs}",
        )
        for name in ("irrelevant", "aliased", "altered", "dense", "noisy", "slippery", "ends"):
            chance = getattr(self, name)
            require(0.0 <= chance <= 1.0, f"{name} is a probability, 0 to 1, got {chance}")
        low, high = self.scale
        require(0.0 < low <= high, f"scale must be two numbers above 0, in order: {self.scale}")
        require(self.shift[0] <= self.shift[1], f"shift must be two numbers in order: {self.shift}")
        first, last = self.episode
        require(
            1 <= first <= last, f"episode must be two numbers of steps in order: {first}, {last}"
        )
        require(0 <= self.discount < 1, f"discount must be 0 to less than 1, got {self.discount}")
        require(self.draws >= 1, f"draws must be at least 1, got {self.draws}")

    @property
    def bounds(self) -> Bounds:
        """What a family is told."""
        return Bounds(self.states, self.actions, min(4, self.inputs or self.states))

    @property
    def spec(self) -> Spec:
        tables = not {"linear-bandit", "linear-system"} & set(self.families)
        plain = set(self.observations) == {"one-hot"} and self.irrelevant == 0
        one_hot = tables and plain and not any(":" in name for name in self.families)
        return Spec(self.inputs or self.states, Discrete(self.actions), self.episode[1], one_hot)

    @partial(jax.jit, static_argnames="self")  # by hand it would be compiled piece by piece
    def sample_task(self, key: PRNGKey) -> RandomTask:
        keys = jax.random.split(fast_key(key), 9)  # threefry takes half a minute to compile here
        weights = self.weights or (1.0,) * len(self.families)
        ends = jnp.cumsum(jnp.asarray(weights, jnp.float32))
        which = jnp.sum(ends[:-1] <= jax.random.uniform(keys[0]) * ends[-1], dtype=jnp.int32)
        slip = at_times(keys[1], self.slippery, 0.1, 0.5, 0.0)
        change = self._change(keys[2])
        candidates = jax.vmap(partial(self._candidate, which, slip, change))(
            jax.random.split(keys[3], self.draws)
        )
        first = jnp.argmax(candidates[-1])  # that teaches something; if none does, the first
        (table, system), values, _ = jax.tree.map(lambda x: x[first], candidates)
        amount = at_times(keys[4], self.dense, 0.3, 1.0, 0.0)
        table, values = shaped(table, values, self.discount, amount)
        view = draw_view(
            keys[5], self.observations, self._shown(keys[6], table), table.states,
            self.bounds.dimensions, self.spec.observation_size, self.irrelevant,
        )  # fmt: skip
        low, high = self.episode
        span = table.patience + (1.0 - table.patience) * jax.random.uniform(keys[7])
        return RandomTask(
            table=table,
            cumulative=jnp.cumsum(table.transition, axis=-1),
            system=system,
            view=view,
            jitter=at_times(keys[8], self.noisy, 0.05, 0.3, 0.0) * change[0],
            limit=(low + span * float(high - low)).astype(jnp.int32),
            values=values,
            cost=cost_to_go(system.transition, system.control, system.weight, EFFORT),
        )

    def _change(self, key: PRNGKey) -> tuple[Scalar, Scalar]:
        """What rewards are multiplied by, and what is added."""
        whether, scale, shift = jax.random.split(key, 3)
        low, high = (math.log(end) for end in self.scale)
        changes = happens(whether, self.altered)
        factor = jnp.where(changes, jnp.exp(number(scale, low, high)), 1.0)
        return factor, jnp.where(changes, factor * number(shift, *self.shift), 0.0)

    def _worth(self, key: PRNGKey) -> Scalar:
        """What is paid for the end of an episode; NaN: what the family pays."""
        whether, kind, size = jax.random.split(key, 3)
        good, neither, _ = ENDS
        drawn = jax.random.uniform(kind)
        sign = jnp.where(drawn < good, 1.0, jnp.where(drawn < good + neither, 0.0, -1.0))
        return jnp.where(happens(whether, self.ends), sign * number(size, 0.3, 1.0), jnp.nan)

    def _candidate(
        self,
        which: Int[Array, ""],
        slip: Scalar,
        change: tuple[Scalar, Scalar],
        key: PRNGKey,
    ) -> tuple[Draw, Float[Array, "S B"], Bool[Array, ""]]:
        """A draw of family number `which`, its values, and whether it teaches something."""
        draw_key, action_key, worth_key = jax.random.split(key, 3)
        draws = [partial(_drawn, family(name), self.bounds) for name in self.families]
        draw = with_own_actions(action_key, jax.lax.switch(which, draws, draw_key))
        table = ending(slipping(whole(draw.table), slip), self._worth(worth_key))
        draw = rewarded(draw._replace(table=table), *change)
        values = optimal_values(draw.table, self.discount)
        lead = gap(draw.table, values, random_value(draw.table, self.discount))
        has_system = jnp.any(draw.system.start > 0)
        return draw, values, has_system | (lead > LEAST_GAP)

    def _shown(self, key: PRNGKey, table: Table) -> Int[Array, " S"]:
        """Which state's features each state has: its own, but for one where two look the same."""
        whether, pair = jax.random.split(key)
        one, other = in_any_order(pair, self.states, table.states)[:2]
        alias = happens(whether, self.aliased) & (jnp.arange(self.states) == one)
        return jnp.where(alias, table.shown[other], table.shown)

    def reset(self, key: PRNGKey, task: RandomTask) -> tuple[RandomState, Observation]:
        bits = jax.random.uniform(key, (1 + task.cost.shape[0] + task.view.noise.size,))
        cell = sampled(jnp.cumsum(task.table.start), bits[0])
        x, seen = jnp.split(bits[1:], [task.cost.shape[0]])
        state = RandomState(cell, _unit(x) * task.system.start, jnp.zeros((), jnp.int32))
        return state, see(task.view, state.cell, state.x, seen)

    def step(self, key: PRNGKey, task: RandomTask, state: RandomState, action: Action) -> Timestep:
        table, system = task.table, task.system
        D, A = state.x.size, task.view.noise.size
        bits = jax.random.uniform(key, (3 + D + A,))
        (leads, pays, jitter), noise, seen = jnp.split(bits, [3, 3 + D])
        cell = sampled(task.cumulative[state.cell, action], leads)
        x = after(system, state.x)[action] + system.noise * _unit(noise)
        fell = jnp.any(jnp.abs(x) > system.edge)
        here = state.cell, action
        prize = jnp.where(pays < table.odds[here], table.prize[here], 0.0)
        regulated = jnp.sum(system.payoff[action] * state.x) - system.paid * jnp.sum(
            system.weight * (x - system.target) ** 2
        )
        reward = table.reward[here] + prize + table.arrival[cell] + regulated
        reward = reward + jnp.where(fell, system.fall, 0.0) + task.jitter * _unit(jitter)
        after_it = RandomState(cell, x, state.step + 1)
        terminated = table.final[cell] | fell
        truncated = (after_it.step >= task.limit) & ~terminated
        observation = see(task.view, cell, x, seen)
        return Timestep(after_it, observation, reward, terminated, truncated)

    def advice(self, task: RandomTask, state: RandomState) -> Bool[Array, " B"]:
        """Which actions are optimal there, as the class says it."""
        values = task.values[state.cell] + regulator_scores(task.system, task.cost, state.x)
        best = jnp.max(values)
        return values >= best - SAME * (jnp.max(jnp.abs(task.values)) + jnp.abs(best))


# One-hot tables of up to nine states as they are: what is learned first, and fastest.
SMALL_TABLES = RandomTasks(
    families=("bandit", "mdp", "grid", "chain", "survival"),
    states=9,
    observations=("one-hot",),
    irrelevant=0.0,
    aliased=0.0,
    altered=0.0,
    dense=0.0,
    noisy=0.0,
    slippery=0.0,
    ends=0.0,
    episode=(12, 16),
)


def _drawn(draws: Family, bounds: Bounds, key: PRNGKey) -> Draw:
    return draws(key, bounds)


def _unit(uniform: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Numbers of mean 0 and variance 1, from some that are uniform in [0, 1)."""
    return UNIT * (2.0 * uniform - 1.0)
