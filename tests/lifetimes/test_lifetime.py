"""The inner loop: what is perceived when, where episodes end, what the randomness follows."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from symla.algorithms import MetaRNN, Random, SymLA
from symla.environments import make
from symla.lifetimes.lifetime import lifetime
from tests.probes.environments import Always, Contextual, Corridor


@dataclass(frozen=True)
class Diary:
    """Takes action t mod 2 and writes down every percept."""

    length: int

    def init_params(self, key, spec):
        return ()

    def init_state(self, params, key, spec):
        return jnp.zeros((self.length, spec.observation_size + spec.action_size + 2))

    def step(self, params, state, percept, t, key):
        page = jnp.concatenate(
            [percept.observation, percept.action, percept.reward[None], percept.done[None]]
        )
        # The diary leaves the lifetime through a callback, because only actions do otherwise.
        jax.debug.callback(lambda t, page: pages_of.__setitem__(int(t), np.asarray(page)), t, page)
        return (t % 2).astype(jnp.int32), state


pages_of: dict[int, np.ndarray] = {}


def test_percepts_hold_the_last_action_reward_and_end(key):
    """In a corridor of two cells, every move right ends an episode and the next starts at once."""
    pages_of.clear()
    total, _, trace = lifetime(Diary(5), Corridor(cells=2), (), key, 5)
    jax.effects_barrier()
    pages = np.stack([pages_of[t] for t in range(5)])
    observation, action, reward, done = pages[:, :2], pages[:, 2:4], pages[:, 4], pages[:, 5]
    assert action.tolist() == [[0, 0], [1, 0], [0, 1], [1, 0], [0, 1]]
    assert reward.tolist() == [0, 0, 1, 0, 1]
    assert done.tolist() == [0, 0, 1, 0, 1]
    assert observation.tolist() == [[1, 0]] * 5  # after the end: the start of a new episode
    assert trace.reward.tolist() == [0, 1, 0, 1, 0]
    assert trace.terminated.tolist() == [False, True, False, True, False]
    assert not trace.truncated.any()
    assert total == 2


def test_episodes_restart_where_they_end(key):
    """Three cells: right, right, end. Seven steps hold three ends and half an episode."""
    _, _, trace = lifetime(Always(1), Corridor(cells=3), (), key, 7)
    assert trace.reward.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_truncation_restarts_too_and_the_task_outlives_it(key):
    environment = Contextual(episode_length=4)
    _, task, trace = lifetime(Random(), environment, (), key, 12)
    assert trace.truncated.tolist() == [False, False, False, True] * 3
    assert not trace.terminated.any()
    assert task.shape == (3, 2)  # one task for all three episodes


def test_the_trace_changes_nothing(key):
    algorithm, environment = SymLA(hidden_size=4), make("bandit-arms-3")
    params = algorithm.init_params(key, environment.spec)
    with_trace, _, trace = lifetime(algorithm, environment, params, key, 30)
    without, _, nothing = lifetime(algorithm, environment, params, key, 30, record=False)
    assert with_trace == without == trace.reward.sum()
    assert nothing is None


def test_lifetimes_with_one_key_share_task_and_noise(key):
    """Whatever the meta-parameters: twins differ by what they do alone."""
    algorithm, environment = MetaRNN(hidden_size=4), make("bandit-arms-2")
    params = algorithm.init_params(key, environment.spec)
    other = jax.tree.map(lambda x: x + 1e-7, params)
    _, task, trace = lifetime(algorithm, environment, params, key, 50)
    _, same_task, same = lifetime(algorithm, environment, other, key, 50)
    np.testing.assert_array_equal(task, same_task)
    np.testing.assert_array_equal(trace.action, same.action)
    np.testing.assert_array_equal(trace.reward, same.reward)


def test_memory_is_flat_in_length_without_a_trace(key):
    algorithm, environment = SymLA(hidden_size=4), make("bandit-arms-2")
    params = algorithm.init_params(key, environment.spec)

    def temporary_bytes(length):
        live = jax.jit(
            lambda k: lifetime(algorithm, environment, params, k, length, record=False)[0]
        )
        return live.lower(key).compile().memory_analysis().temp_size_in_bytes

    assert temporary_bytes(100_000) < temporary_bytes(100) + 1_000
