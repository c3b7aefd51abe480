"""What the task of a lifetime is made of: a table, a linear system, or both side by side.

A family draws one of them, of any size up to `Bounds`, and leaves the other as it is here. All
draws have the same shapes, so that one function steps through tasks of every family.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from symla.core.types import PRNGKey, Scalar

FAR = 1e6  # an edge of a linear system that is never reached


@dataclass(frozen=True)
class Bounds:
    """The most that a draw may have."""

    states: int  # S
    actions: int  # B
    dimensions: int  # D, of a linear system


class Table(NamedTuple):
    """A Markov decision process of `states` <= S states; what the others have never matters.

    Action a of `actions` <= B in state s leads to s' by `transition`, and earns

        reward[s, a] + arrival[s'], and with probability odds[s, a] also prize[s, a]

    Arriving in a `final` state ends the episode. Columns of actions beyond `actions` are ignored.
    """

    states: Int[Array, ""]
    actions: Int[Array, ""]
    transition: Float[Array, "S B S"]  # probabilities, or of a `Draw` weights
    reward: Float[Array, "S B"]
    prize: Float[Array, "S B"]
    odds: Float[Array, "S B"]
    arrival: Float[Array, " S"]
    final: Bool[Array, " S"]
    start: Float[Array, " S"]  # likewise
    shown: Int[Array, " S"]  # the state that is observed: two of them may look the same
    patience: Scalar  # how long an episode may be, from the least (0) to the longest there is (1)


class System(NamedTuple):
    """A linear system in at most D dimensions, the others zero:

        x' = target + transition (x - target) + control[a] + noise * z,  z of variance 1
        reward = payoff[a] . x - paid * sum(weight * (x' - target)^2)

    Episodes start at `start` * z. Where a number of x' is beyond `edge` the episode ends, and
    `fall` is earned besides. `weight` is what the regulator minimises, paid or not.
    """

    transition: Float[Array, "D D"]
    control: Float[Array, "B D"]
    payoff: Float[Array, "B D"]
    target: Float[Array, " D"]
    weight: Float[Array, " D"]
    paid: Scalar
    noise: Float[Array, " D"]
    start: Float[Array, " D"]
    edge: Scalar
    fall: Scalar


class Draw(NamedTuple):
    """What a family draws for a lifetime."""

    table: Table
    system: System


@runtime_checkable
class Family(Protocol):
    """A kind of tasks: a function in a file of its own."""

    def __call__(self, key: PRNGKey, bounds: Bounds, /) -> Draw:
        """Tables or systems of any size up to the bounds."""
        ...


def nothing(bounds: Bounds) -> Draw:
    """One state in which nothing happens, and a system that stays at zero."""
    S, B, D = bounds.states, bounds.actions, bounds.dimensions
    flat, one = jnp.zeros((S, B)), jnp.ones((), jnp.int32)
    table = Table(
        one, one, jnp.zeros((S, B, S)), flat, flat, flat, jnp.zeros(S), jnp.zeros(S, bool),
        jnp.zeros(S), jnp.arange(S), jnp.zeros(()),
    )  # fmt: skip
    line, each = jnp.zeros(D), jnp.zeros((B, D))
    system = System(
        jnp.zeros((D, D)), each, each, line, line, jnp.zeros(()), line, line, jnp.asarray(FAR),
        jnp.zeros(()),
    )  # fmt: skip
    return Draw(table, system)


def of_table(
    bounds: Bounds,
    states: Int[Array, ""],
    actions: Int[Array, ""],
    transition: Float[Array, "S B S"],
    **others: Array,
) -> Draw:
    """The draw with this table; `others` are fields of it that are not zero. Transitions and starts
    may be any weights: all zeros where an action stays, and where episodes start in state 0."""
    draw = nothing(bounds)
    given = {"states": states, "actions": actions, "transition": transition, **others}
    return draw._replace(table=draw.table._replace(**given))


def of_system(bounds: Bounds, actions: Int[Array, ""], pay: Scalar, **parts: Array) -> Draw:
    """The draw with this linear system, and a `pay` for each step; `parts` are fields of the system
    that are not zero."""
    draw = nothing(bounds)
    everywhere = jnp.broadcast_to(pay, draw.table.reward.shape)
    table = draw.table._replace(actions=actions, reward=everywhere, patience=jnp.ones(()))
    return Draw(table, draw.system._replace(**parts))


def whole(table: Table) -> Table:
    """With weights as probabilities, among the states that there are."""
    S = table.start.size
    real = (jnp.arange(S) < table.states).astype(jnp.float32)
    first = jax.nn.one_hot(0, S)
    stay = jnp.broadcast_to(jnp.eye(S)[:, None], table.transition.shape)
    return table._replace(
        transition=_normal(table.transition * real[None, None], stay),
        start=_normal(table.start * real, first),
    )


def _normal(weights: Float[Array, "*n S"], otherwise: Float[Array, "*n S"]) -> Array:
    total = jnp.sum(weights, axis=-1, keepdims=True)
    return jnp.where(total > 0, weights / jnp.where(total > 0, total, 1.0), otherwise)


def to(target: Int[Array, "S B"]) -> Float[Array, "S B S"]:
    """Transitions of certain outcome."""
    return jax.nn.one_hot(target, target.shape[0])


def whole_number(key: PRNGKey, low: int, high: int | Array) -> Int[Array, ""]:
    """Uniform from `low` to `high`, both included; `low` where `high` is less."""
    return low + below(key, jnp.maximum(jnp.asarray(high) - low, 0) + 1)


def number(key: PRNGKey, low: float, high: float) -> Scalar:
    """Uniform between the two."""
    return jax.random.uniform(key, (), minval=low, maxval=high)


def one_of(key: PRNGKey, *choices: float) -> Scalar:
    """One of these numbers, each with the same probability."""
    return jnp.asarray(choices, jnp.float32)[below(key, len(choices))]


def happens(key: PRNGKey, probability: float) -> Bool[Array, ""]:
    """Whether something of this probability does."""
    return jax.random.uniform(key) < probability


def below(key: PRNGKey, count: int | Int[Array, ""], shape: tuple[int, ...] = ()) -> Array:
    """Independent whole numbers from 0 to `count` - 1, of that shape.

    `jax.random.randint` has no bias of one in millions, and takes three times as long to compile.
    """
    uniform = jax.random.uniform(key, shape)
    least = jnp.floor(uniform * jnp.asarray(count).astype(jnp.float32)).astype(jnp.int32)
    return jnp.minimum(least, jnp.asarray(count, jnp.int32) - 1)


def sampled(cumulative: Float[Array, " S"], uniform: Scalar) -> Int[Array, ""]:
    """A state, by inverting the cumulative distribution."""
    return jnp.sum(cumulative[:-1] <= uniform * cumulative[-1], dtype=jnp.int32)


def in_any_order(key: PRNGKey, size: int, count: Int[Array, ""]) -> Int[Array, " size"]:
    """The numbers 0 to `count` - 1 in random order, and after them the others up to size."""
    rank = jax.random.uniform(key, (size,)) + (jnp.arange(size) >= count).astype(jnp.float32)
    return jnp.argsort(rank).astype(jnp.int32)
