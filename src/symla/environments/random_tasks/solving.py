"""Exact values: policy iteration over a table, and the regulator of a linear system."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.linear_algebra import solve
from symla.core.types import PRECISION, Scalar
from symla.environments.random_tasks.draws import System, Table

ROUNDS = 32  # of policy iteration at most; a handful is needed
BETTER = 1e-5  # relative: by how much an action must be better to replace another


def mean_reward(table: Table) -> Float[Array, "S B"]:
    """What is expected of each action in each state."""
    arriving = jnp.einsum("sbt,t->sb", table.transition, table.arrival, precision=PRECISION)
    return table.reward + table.odds * table.prize + arriving


def optimal_values(table: Table, discount: float) -> Float[Array, "S B"]:
    """Q*(s, a) of the discounted return of an episode, by policy iteration (Howard 1960): each
    round solves for the values of a policy, and takes what is better. A policy that nothing is
    better than is optimal, so this is exact but for rounding, after a few rounds.

    All B columns count as actions; limits of time are left out.
    """
    reward, onward = mean_reward(table), _onward(table, discount)

    def improve(now: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        policy, _, _, rounds = now
        own = jnp.take_along_axis(onward, policy[:, None, None], axis=1)[:, 0]
        pays = jnp.take_along_axis(reward, policy[:, None], axis=1)[:, 0]
        value = solve(jnp.eye(policy.size) - own, pays)
        action = reward + jnp.einsum("sbt,t->sb", onward, value, precision=PRECISION)
        best = jnp.argmax(action, axis=1).astype(jnp.int32)
        gain = jnp.max(action, axis=1) - value
        changes = gain > BETTER * (1.0 + jnp.abs(value))
        return jnp.where(changes, best, policy), action, jnp.any(changes), rounds + 1

    def goes_on(now: tuple[Array, Array, Array, Array]) -> Array:
        return now[2] & (now[3] < ROUNDS)

    start = jnp.argmax(reward, axis=1).astype(jnp.int32)
    first = improve((start, reward, jnp.asarray(True), jnp.zeros((), jnp.int32)))
    return jax.lax.while_loop(goes_on, improve, first)[1]


def random_value(table: Table, discount: float) -> Float[Array, " S"]:
    """V(s) of choosing every action with the same probability."""
    own, pays = jnp.mean(_onward(table, discount), axis=1), jnp.mean(mean_reward(table), axis=1)
    return solve(jnp.eye(pays.size) - own, pays)


def _onward(table: Table, discount: float) -> Float[Array, "S B S"]:
    """Discounted probabilities of where an action leads; nothing comes after a final state."""
    goes_on = 1.0 - table.final.astype(jnp.float32)
    return discount * table.transition * goes_on[None, None]


def regulator_scores(
    system: System, cost: Float[Array, "D D"], x: Float[Array, " D"]
) -> Float[Array, " B"]:
    """How good each action is at x: what it pays at once, minus the `cost` to go from there on.

    Of a system to be held at its target the best action is the one nearest to the regulator's, in
    the norm of its quadratic cost.
    """
    error = after(system, x) - system.target[None]
    quadratic = jnp.einsum("bi,ij,bj->b", error, cost, error, precision=PRECISION)
    return jnp.dot(system.payoff, x, precision=PRECISION) - quadratic


def after(system: System, x: Float[Array, " D"]) -> Float[Array, "B D"]:
    """Where each action leads from x, without noise."""
    drift = jnp.dot(x - system.target, system.transition, precision=PRECISION)
    return (system.target + drift)[None] + system.control


def gap(table: Table, values: Float[Array, "S B"], chance: Float[Array, " S"]) -> Scalar:
    """How much better than random play the optimum is where episodes start, in units of the largest
    reward that an action is expected to earn; 0 where there is none."""
    best = jnp.max(values, axis=1)
    lead = jnp.dot(table.start, best - chance, precision=PRECISION)
    reached = (jnp.arange(best.size) < table.states)[:, None]
    largest = jnp.max(jnp.where(reached, jnp.abs(mean_reward(table)), 0.0))
    return lead / jnp.maximum(largest, 1e-6)
