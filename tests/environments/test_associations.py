"""Which action is correct in which context: balanced within a task, and over tasks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.environments import Associations

TASKS = 3000


def within(counts, probability):
    """Whether counts over TASKS tasks are within 5 standard deviations of what is expected."""
    deviation = np.sqrt(TASKS * probability * (1 - probability))
    return np.all(np.abs(counts - TASKS * probability) <= 5 * deviation)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("contexts", "actions"), [(1, 3), (2, 4), (4, 4), (5, 3), (5, 2), (6, 3), (7, 4)]
)
def test_every_action_is_correct_equally_often(contexts, actions, key):
    sample = jax.jit(jax.vmap(Associations(contexts, actions).sample_task))
    tasks = np.asarray(sample(jax.random.split(key, TASKS)))
    assert tasks.dtype == np.int32
    is_correct = tasks[..., None] == np.arange(actions)  # [tasks, contexts, actions]
    assert within(is_correct.sum(axis=0), 1 / actions)  # in each context
    contexts_of = is_correct.sum(axis=1)  # [tasks, actions]
    least, extra = divmod(contexts, actions)
    assert set(np.unique(contexts_of)) == ({least, least + 1} if extra else {least})
    assert within((contexts_of > least).sum(axis=0), extra / actions)  # which have one more


def test_the_correct_action_pays_one_and_others_average_to_zero(key):
    environment = Associations(3, 4)
    task, context = environment.sample_task(key), jnp.asarray(2, jnp.int32)
    step = jax.vmap(lambda action: environment.step(key, task, context, action).reward)
    rewards = step(jnp.arange(4))
    assert rewards[task[2]] == 1.0
    np.testing.assert_allclose(jnp.sum(rewards), 0.0, atol=1e-6)


def test_a_context_stays_with_its_probability(key):
    environment = Associations(3, 3, distractors=2, stay=0.4)
    task, context = environment.sample_task(key), jnp.asarray(1, jnp.int32)
    step = jax.jit(jax.vmap(lambda k: environment.step(k, task, context, context)))
    timesteps = step(jax.random.split(key, TASKS))
    np.testing.assert_array_equal(jnp.argmax(timesteps.observation[:, :3], axis=1), timesteps.state)
    counts = np.bincount(timesteps.state, minlength=3)
    assert within(counts[1], 0.4 + 0.6 / 3)
    assert within(counts[[0, 2]], 0.6 / 3)
    assert within(np.asarray(timesteps.observation[:, 3:].sum(axis=0)), 0.5)
