"""What a mixture does with the draw of a family: orders of actions, slips, other rewards."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.core.types import PRNGKey, Scalar
from symla.environments.random_tasks.draws import Draw, Table, below, happens, number


def with_own_actions(key: PRNGKey, draw: Draw) -> Draw:
    """Each of the B actions does what one of the draw's own does, each of these at least one: in
    any order, and where there are fewer some of them twice."""
    B = draw.table.reward.shape[1]
    order_key, again_key = jax.random.split(key)
    count = draw.table.actions
    own = jnp.where(jnp.arange(B) < count, jnp.arange(B), below(again_key, count, (B,)))
    does = own[jax.random.permutation(order_key, B)]
    table = draw.table._replace(
        actions=jnp.asarray(B, jnp.int32),
        transition=draw.table.transition[:, does],
        reward=draw.table.reward[:, does],
        prize=draw.table.prize[:, does],
        odds=draw.table.odds[:, does],
    )
    system = draw.system._replace(
        control=draw.system.control[does], payoff=draw.system.payoff[does]
    )
    return Draw(table, system)


def slipping(table: Table, chance: Scalar) -> Table:
    """With this probability an action leads where any one would, all with the same probability."""
    anyway = jnp.mean(table.transition, axis=1, keepdims=True)
    return table._replace(transition=(1.0 - chance) * table.transition + chance * anyway)


def ending(table: Table, worth: Scalar) -> Table:
    """With `worth` paid for every end of an episode, whatever the family pays for it; as it was
    where `worth` is not a number."""
    paid = jnp.where(jnp.isnan(worth), table.arrival, worth)
    return table._replace(arrival=jnp.where(table.final, paid, table.arrival))


def rewarded(draw: Draw, factor: Scalar, shift: Scalar) -> Draw:
    """Rewards times `factor`, and `shift` more in each step."""
    table, system = draw
    table = table._replace(
        reward=factor * table.reward + shift,
        prize=factor * table.prize,
        arrival=factor * table.arrival,
    )
    system = system._replace(
        payoff=factor * system.payoff, paid=factor * system.paid, fall=factor * system.fall
    )
    return Draw(table, system)


def shaped(
    table: Table, values: Float[Array, "S B"], discount: float, amount: Scalar
) -> tuple[Table, Array]:
    """The table with amount (discount V*(s') - V*(s)) added to its rewards, V* = 0 once it ended,
    and its values then: they fall by amount V*(s), and what is best stays best."""
    best = jnp.max(values, axis=1)
    later = jnp.where(table.final, 0.0, discount * best)
    changed = table._replace(
        reward=table.reward - amount * best[:, None], arrival=table.arrival + amount * later
    )
    return changed, values - amount * best[:, None]


def at_times(key: PRNGKey, probability: float, low: float, high: float, usual: float) -> Scalar:
    """With that probability a number uniform between two, else the usual one."""
    draws, whether = jax.random.split(key)
    return jnp.where(happens(whether, probability), number(draws, low, high), usual)
