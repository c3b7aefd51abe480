"""Random batches of chunks, as an objective sees them."""

from functools import partial

import jax
import jax.numpy as jnp

from symla.algorithms.metagenrl.objective import Seen
from symla.algorithms.parts.critics import Experience
from symla.core.networks import init_perceptron


def seen_of(key, lengths, steps=20, observations=3, actions=2, discount=0.9):
    """A chunk of each of the `lengths`; where there is no step, there is noise."""
    return _seen_of(key, tuple(lengths), steps, observations, actions)._replace(discount=discount)


@partial(jax.jit, static_argnames=("lengths", "steps", "observations", "actions"))
def _seen_of(key, lengths, steps, observations, actions):
    keys, shape = jax.random.split(key, 8), (len(lengths), steps)
    normal = jax.random.normal
    experience = Experience(
        normal(keys[0], (*shape, observations)),
        jnp.tanh(normal(keys[1], (*shape, actions))),
        normal(keys[2], shape),
        jnp.zeros(shape, bool),
        normal(keys[3], (*shape, observations)),
        jnp.arange(steps)[None] < jnp.array(lengths)[:, None],
    )
    critic = init_perceptron(keys[4], (observations + actions, 8, 1))
    values = normal(keys[5], shape), normal(keys[6], shape)
    return Seen(experience, jnp.zeros(shape), *values, critic, 1.0)


@jax.jit
def actions_of(key, seen):
    """What a policy might choose there."""
    return jnp.tanh(jax.random.normal(key, seen.steps.action.shape))


def cut(seen, chunk, steps):
    """One chunk of it alone, cut after so many steps."""
    short = {
        name: jax.tree.map(lambda x: x[chunk : chunk + 1, :steps], getattr(seen, name))
        for name in ("steps", "log_density", "value", "next_value")
    }
    return seen._replace(**short)
