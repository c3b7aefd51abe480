"""Random Markov decision processes: any state may follow any other."""

import jax
import jax.numpy as jnp

from symla.core.types import PRNGKey
from symla.environments.random_tasks.draws import (
    Bounds,
    Draw,
    happens,
    number,
    of_table,
    one_of,
    whole_number,
)


def random_mdp(key: PRNGKey, bounds: Bounds) -> Draw:
    """3 to S states, 2 to B actions; where one leads is certain or nearly so, or spread over many.

    Rewards are dense (a normal number for each state and action) or sparse (one state, sometimes
    two, pays 1 on arrival). In half of the tasks there is a state that ends the episode; arriving
    there is good, bad or neither, with the same probability.
    """
    keys = jax.random.split(key, 10)
    S, B = bounds.states, bounds.actions
    states, actions = whole_number(keys[0], min(3, S), S), whole_number(keys[1], 2, B)
    certainty = jnp.exp(number(keys[2], 0.7, 3.4))  # 2 to 30
    logits = certainty * jax.random.normal(keys[3], (S, B, S))
    real = (jnp.arange(S) < states)[None, None]
    transition = jax.nn.softmax(jnp.where(real, logits, -jnp.inf))
    dense = happens(keys[4], 0.5)
    pays = jnp.arange(S) < 1 + happens(keys[5], 0.3).astype(jnp.int32)
    ends = happens(keys[6], 0.5) & (states > 3)
    last = jnp.arange(S) == states - 1
    worth = one_of(keys[7], -1.0, 0.0, 1.0)
    start = jnp.where(happens(keys[8], 0.5), jax.nn.one_hot(2, S), 1.0 - last.astype(jnp.float32))
    return of_table(
        bounds, states, actions, transition,
        reward=jnp.where(dense, jax.random.normal(keys[9], (S, B)), 0.0),
        arrival=jnp.where(last & ends, worth, jnp.where(pays & ~dense, 1.0, 0.0)),
        final=last & ends,
        start=start,
    )  # fmt: skip
