"""The inner loop: what is perceived when, where episodes end, what the randomness follows."""

from dataclasses import dataclass
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import MetaRNN, Random, SymLA
from symla.environments import Hearts, make
from symla.lifetimes.lifetime import bin_edges, lifetime
from symla.lifetimes.percepts import lifetime_keys
from tests.probes.algorithms import Every, Logits
from tests.probes.environments import Always, Contextual, Corridor, RandomStart


@dataclass(frozen=True)
class RecordsPercepts:
    """Takes action t mod 2. Its state is the last percept."""

    def init_params(self, key, spec):
        return ()

    def init_state(self, params, key, spec):
        return jnp.zeros(spec.observation_size + spec.action_size + 2)

    def step(self, params, state, percept, t, key):
        state = jnp.concatenate(
            [percept.observation, percept.action, percept.reward[None], percept.done[None]]
        )
        return (t % 2).astype(jnp.int32), state


def test_percepts_hold_the_last_action_reward_and_end(key):
    """In a corridor of two cells, every move right ends an episode and the next starts at once."""

    def record(transition, task, learner, world):
        return transition, learner

    recorded = lifetime(RecordsPercepts(), Corridor(cells=2), (), key, 5, record=record)
    total, _, (transition, percepts) = recorded
    observation, action = percepts[:, :2], percepts[:, 2:4]
    reward, done = percepts[:, 4], percepts[:, 5]
    assert action.tolist() == [[0, 0], [1, 0], [0, 1], [1, 0], [0, 1]]
    assert reward.tolist() == [0, 0, 1, 0, 1]
    assert done.tolist() == [0, 0, 1, 0, 1]
    assert observation.tolist() == [[1, 0]] * 5  # after the end: the start of a new episode
    assert transition.reward.tolist() == [0, 1, 0, 1, 0]
    assert transition.terminated.tolist() == [False, True, False, True, False]
    assert not transition.truncated.any()
    assert total == 2


def test_episodes_restart_where_they_end(key):
    """Three cells: right, right, end. Seven steps hold three ends and half an episode."""
    _, _, transition = lifetime(Always(1), Corridor(cells=3), (), key, 7)
    assert transition.reward.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_truncation_restarts_too_and_the_task_outlives_it(key):
    environment = Contextual(episode_length=4)
    _, task, transition = lifetime(Random(), environment, (), key, 12)
    assert transition.truncated.tolist() == [False, False, False, True] * 3
    assert not transition.terminated.any()
    assert task.shape == (3, 2)  # one task for all three episodes


def test_recording_changes_nothing(key):
    algorithm, environment = SymLA(hidden_size=4), make("bandit-arms-3")
    params = algorithm.init_params(key, environment.spec)
    arguments = algorithm, environment, params, key, 30
    recorded, _, transition = lifetime(*arguments)
    without, _, nothing = lifetime(*arguments, record=None)
    in_bins, _, sums = lifetime(*arguments, bins=7)
    assert recorded == without == in_bins == transition.reward.sum()
    assert nothing is None
    assert sums.reward.shape == (7,)


def test_a_record_sees_what_an_action_led_to(key):
    """The world before the reset, the task, and the learner's state."""

    def record(transition, task, learner, world):
        return task, learner, world.step

    algorithm, environment = MetaRNN(4), Contextual(episode_length=3)
    params = algorithm.init_params(key, environment.spec)
    _, task, recorded = lifetime(algorithm, environment, params, key, 7, record=record)
    tasks, learners, steps = recorded
    assert steps.tolist() == [1, 2, 3, 1, 2, 3, 1]
    np.testing.assert_array_equal(tasks, np.stack([task] * 7))
    assert learners.hidden.shape == (7, 4)


@pytest.mark.parametrize(
    ("length", "bins"), [(10, 3), (10, 10), (11, 4), (100, 7), (7, 1)], ids=str
)
def test_sums_over_bins_are_those_of_the_steps(key, length, bins):
    arguments = Random(), RandomStart(4), (), key, length
    _, _, each = lifetime(*arguments)
    total, _, sums = lifetime(*arguments, bins=bins)
    edges = bin_edges(length, bins)
    assert (edges[0], edges[-1], len(edges)) == (0, length, bins + 1)
    assert set(np.diff(edges)) <= {length // bins, -(-length // bins)}
    for steps, binned in zip(each, sums):
        steps = np.asarray(steps, np.float32)
        expected = [steps[a:b].sum() for a, b in pairwise(edges)]
        np.testing.assert_allclose(np.asarray(binned, np.float32), expected, atol=1e-6)
    assert total == pytest.approx(float(each.reward.sum()), abs=1e-5)


def test_edges_of_long_lifetimes_do_not_overflow():
    edges = bin_edges(10**9, 100)
    assert edges.tolist() == [i * 10**7 for i in range(101)]


def test_episode_n_starts_from_the_same_key_whenever_it_begins(key):
    """Whatever was done before: two lifetimes of one key differ in the lengths of episodes alone,
    and n starts from `fold_in(key of episodes, n)`."""

    def record(transition, task, learner, world):
        return transition.terminated | transition.truncated, world.number

    environment, keys = RandomStart(episode_length=5), lifetime_keys(key)
    numbers = {}
    for period in (1, 3, 4, 9):  # the last is truncated too: lengths 5, 4, 5, 4 ...
        _, _, recorded = lifetime(Every(period), environment, (), key, 40, record=record)
        ended, number = recorded
        starts = np.concatenate([[0], np.flatnonzero(ended[:-1]) + 1])
        numbers[period] = np.asarray(number)[starts]
        for n, found in enumerate(numbers[period]):
            state, _ = environment.reset(jax.random.fold_in(keys.episode, n), ())
            assert found == state.number
    assert [len(starts) for starts in numbers.values()] == [40, 14, 10, 9]
    assert len(set(numbers[1].tolist())) == 40


def test_episode_n_of_a_grid_world_starts_from_its_key(key):
    """The first observation of an episode is perceived, and that of the reset."""

    def record(transition, task, learner, world):
        return transition.terminated | transition.truncated, learner

    environment, keys = Hearts(2, 3), lifetime_keys(key)
    recorded = lifetime(RecordsPercepts(), environment, (), key, 12, record=record)
    task, (ended, percepts) = recorded[1:]
    size = environment.spec.observation_size
    starts = [0, *(np.flatnonzero(ended[:-1]) + 1)]
    assert len(starts) >= 4
    for n, step in enumerate(starts):
        _, observation = environment.reset(jax.random.fold_in(keys.episode, n), task)
        np.testing.assert_array_equal(percepts[step, :size], observation)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_policy_that_is_not_finite_earns_nan(key, value):
    """And not what action 0 earns. The environment that would pay 1 for it is not asked."""
    environment = make("bandit-easy")
    logits = jnp.array([0.0, value])
    total, _, transition = lifetime(Logits(), environment, logits, key, 5)
    assert np.isnan(total)
    assert transition.action.tolist() == [-1] * 5
    assert np.isnan(transition.reward).all()


@pytest.mark.parametrize("algorithm", [SymLA(hidden_size=4), MetaRNN(4)], ids=repr)
def test_meta_parameters_that_are_not_numbers_earn_nan(algorithm, key):
    """Whichever array holds them, and in the fused kernel too: no gate turns NaN into a number."""
    environment = make("bandit-arms-3")
    params = algorithm.init_params(key, environment.spec)
    live = jax.jit(lambda params: lifetime(algorithm, environment, params, key, 20, record=None)[0])
    leaves, structure = jax.tree.flatten(params)
    assert np.isfinite(live(params))
    for i, leaf in enumerate(leaves):
        broken = [*leaves[:i], jnp.full_like(leaf, jnp.nan), *leaves[i + 1 :]]
        assert np.isnan(live(jax.tree.unflatten(structure, broken)))


def test_one_action_that_is_none_is_enough(key):
    @dataclass(frozen=True)
    class Once(Logits):
        def step(self, params, state, percept, t, key):
            return super().step(jnp.where(t == 3, jnp.nan, params), state, percept, t, key)

    total, _, transition = lifetime(Once(), make("bandit-easy"), jnp.zeros(2), key, 8)
    assert np.flatnonzero(transition.action < 0).tolist() == [3]
    assert np.flatnonzero(np.isnan(transition.reward)).tolist() == [3]
    assert np.isnan(total)


def test_lifetimes_with_one_key_share_task_and_noise(key):
    """Whatever the meta-parameters: twins differ by what they do alone."""
    algorithm, environment = MetaRNN(hidden_size=4), make("bandit-arms-2")
    params = algorithm.init_params(key, environment.spec)
    other = jax.tree.map(lambda x: x + 1e-7, params)
    _, task, transition = lifetime(algorithm, environment, params, key, 50)
    _, same_task, same = lifetime(algorithm, environment, other, key, 50)
    np.testing.assert_array_equal(task, same_task)
    np.testing.assert_array_equal(transition.action, same.action)
    np.testing.assert_array_equal(transition.reward, same.reward)


@pytest.mark.parametrize("options", [{"record": None}, {"bins": 100}], ids=str)
def test_memory_is_flat_in_length(key, options):
    algorithm, environment = SymLA(hidden_size=4), make("bandit-arms-2")
    params = algorithm.init_params(key, environment.spec)

    def temporary_bytes(length):
        live = jax.jit(
            lambda k: lifetime(algorithm, environment, params, k, length, **options)[::2]
        )
        return live.lower(key).compile().memory_analysis().temp_size_in_bytes

    assert temporary_bytes(1_000_000) < temporary_bytes(1000) + 1_000
