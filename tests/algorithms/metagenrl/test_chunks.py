"""Chunks of consecutive steps from a replay buffer."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.metagenrl.chunks import nothing_remembered, remembered, sample_chunks
from symla.algorithms.parts import replay
from symla.core.types import Rollout

LENGTHS = 3, 11, 5, 4, 9  # of the episodes of each worker, in turn, each beginning with another
T = 5
MORE = (60, 1, 100), (30, 3, 100), (90, 3, 100)


def rollouts(steps, workers):
    """Rewards say the worker, the episode and the step in it: 1000 w + 100 e + t (e modulo 10)."""
    reward, done = np.zeros((steps, workers), np.float32), np.zeros((steps, workers), bool)
    for w in range(workers):
        episode = t = 0
        for row in range(steps):
            reward[row, w] = 1000 * w + 100 * (episode % 10) + t
            t += 1
            if t == LENGTHS[(episode + w) % len(LENGTHS)]:
                done[row, w] = True
                episode, t = episode + 1, 0
    observation = jnp.asarray(reward)[..., None]
    no = jnp.zeros_like(done)
    return Rollout(
        observation, observation, jnp.asarray(reward), jnp.asarray(done), no, observation,
        jnp.asarray(reward),
    )  # fmt: skip


@partial(jax.jit, static_argnames=("n", "workers"))
def sampled(buffer, key, n, workers):
    return sample_chunks(buffer, key, n, T, workers)


@jax.jit
def with_steps(buffer, rollout):
    return replay.add(buffer, remembered(rollout))


@pytest.mark.parametrize(
    ("steps", "workers", "capacity"),
    [(61, 2, 37), *(pytest.param(*x, marks=pytest.mark.slow) for x in MORE)],
)
def test_each_is_of_one_episode_and_as_long_as_it_can_be(key, steps, workers, capacity):
    """In a buffer that is not full and in one that is, whose capacity no number divides."""
    buffer, whole = replay.init(key, nothing_remembered(1, 1), capacity), rollouts(steps, workers)
    for first in range(0, steps, 10):
        part = jax.tree.map(lambda x: np.asarray(x)[first : first + 10], whole)  # noqa: B023
        buffer = with_steps(buffer, part)
    chunks = sampled(buffer, key, 400, workers)
    there = np.asarray(whole.reward).reshape(-1)[-capacity:]
    assert set(np.unique(chunks.step.reward[chunks.step.known])) == set(there)  # each is drawn
    for reward, known in zip(chunks.step.reward, chunks.step.known):
        count = int(known.sum())
        assert known[:count].all()
        assert (np.diff(reward[:count]) == 1).all()
        assert (reward[count:] == 0).all()
        episode = there[there // 100 == reward[0] // 100]
        assert count == min(T, len(episode))


def test_of_an_empty_buffer_nothing_is_known(key):
    buffer = replay.init(key, nothing_remembered(1, 1), 100)
    assert not sampled(buffer, key, 400, 1).step.known.any()


def test_a_step_that_led_nobody_knows_where_is_not_known(key):
    whole = rollouts(60, 1)
    hidden = whole._replace(
        terminated=jnp.zeros_like(whole.done), truncated=whole.done,
        next_observation=jnp.where(whole.done[..., None], jnp.nan, whole.next_observation),
    )  # fmt: skip
    empty = replay.init(key, nothing_remembered(1, 1), 100)
    chunks = sampled(with_steps(empty, hidden), key, 400, 1)
    last = np.asarray(whole.reward)[np.asarray(whole.done)]
    assert not np.isin(chunks.step.reward[chunks.step.known], last).any()
    assert np.isfinite(chunks.step.next_observation).all()
