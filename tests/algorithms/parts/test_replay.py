"""A replay buffer in memory: a circle of the newest transitions, never copied."""

import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.parts.replay import Replay, add, init, last, sample
from symla.core.errors import SettingError

EXAMPLE = {
    "observation": jax.ShapeDtypeStruct((3,), jnp.float32),
    "action": jax.ShapeDtypeStruct((), jnp.int32),
    "terminated": jax.ShapeDtypeStruct((), jnp.bool_),
}
CAPACITY = 5
ADD = jax.jit(add, donate_argnums=0)
LAST = jax.jit(last, static_argnums=1)
SAMPLE = jax.jit(sample, static_argnums=2)
INIT = jax.jit(partial(init, example=EXAMPLE), static_argnames="capacity")


def transitions(first, n):
    """Those numbered from `first`, each recognisable in every array."""
    numbers = first + np.arange(n, dtype=np.int32)
    observation = numbers.astype(np.float32)[:, None] + np.float32([[0.0, 0.25, 0.5]])
    return {"observation": observation, "action": numbers, "terminated": numbers % 2 == 0}


def filled(*sizes, capacity=CAPACITY):
    replay, first = INIT(jax.random.key(0), capacity=capacity), 0
    for n in sizes:
        replay, first = ADD(replay, transitions(first, n)), first + n
    return replay


def equal(tree, other):
    jax.tree.map(np.testing.assert_array_equal, tree, other)


def test_the_newest_replace_the_oldest():
    replay = filled(3, 1, 3, 5, 1, 1)
    assert (int(replay.added), int(replay.size), replay.capacity) == (14, 5, 5)
    equal(LAST(replay, 5), transitions(9, 5))
    equal(LAST(replay, 3), transitions(11, 3))
    assert replay.transitions["action"].tolist() == [10, 11, 12, 13, 9]


def test_samples_are_uniform_over_what_is_there():
    for replay, expected in ((filled(3), range(3)), (filled(3, 5), range(3, 8))):
        found = jax.device_get(SAMPLE(replay, jax.random.key(1), 4000))
        numbers, counts = np.unique(found["action"], return_counts=True)
        assert numbers.tolist() == list(expected)
        share = 4000 / len(expected)
        assert np.abs(counts - share).max() < 5 * np.sqrt(share)
        equal(found["observation"][:, 0], found["action"].astype(np.float32))
        equal(found["terminated"], found["action"] % 2 == 0)


def test_a_transition_that_is_not_there_is_noticed():
    nothing = SAMPLE(filled(), jax.random.key(0), 4000)
    assert np.isnan(nothing["observation"]).all()
    assert np.unique(nothing["action"]).tolist() == [-1]
    found = LAST(filled(1), 3)
    assert np.isnan(found["observation"]).all(axis=1).tolist() == [True, True, False]
    assert found["action"].tolist() == [-1, -1, 0]


def test_what_does_not_fit_is_refused():
    with pytest.raises(SettingError, match=r"rollout of 6 transitions does not fit .* of 5"):
        add(filled(), transitions(0, 6))
    with pytest.raises(SettingError, match="last 6 transitions"):
        last(filled(), 6)
    with pytest.raises(SettingError, match=r"1 to 2\^30 transitions, got 0"):
        init(jax.random.key(0), EXAMPLE, 0)
    with pytest.raises(SettingError, match="at least one array"):
        init(jax.random.key(0), (), 4)


@pytest.mark.parametrize("before", [2**31 - 1, 2**31 - 3, 2**31 - 8])
def test_two_to_the_31_transitions_are_no_end(before):
    """Rows stay where they would be if the number of all that were added had no largest value."""
    capacity, n = CAPACITY, 3
    replay = filled(5)._replace(added=jnp.uint32(before))
    for first in range(before, before + 4 * n, n):
        actions = np.arange(n, dtype=np.int32) + first % 1000
        replay = ADD(replay, {**transitions(0, n), "action": actions})
        rows = [(first + i) % capacity for i in range(n)]
        equal(np.asarray(replay.transitions["action"])[rows], actions)
        assert int(replay.added) % capacity == (first + n) % capacity
        assert capacity <= int(replay.added) < 2**31
        equal(LAST(replay, n)["action"], actions)


def test_agents_side_by_side_each_have_their_own():
    @jax.jit
    @jax.vmap
    def live(key, batch):
        replay = add(init(key, EXAMPLE, 4), batch)
        return replay, replay.size, last(replay, 2), sample(replay, key, 50)

    keys = jax.random.split(jax.random.key(0), 2)
    both = jax.tree.map(lambda *x: np.stack(x), transitions(0, 3), transitions(50, 3))
    replay, size, newest, drawn = live(keys, both)
    assert (replay.capacity, size.tolist(), replay.size.tolist()) == (4, [3, 3], [3, 3])
    assert (replay.identity[0] != replay.identity[1]).any()
    assert newest["action"].tolist() == [[1, 2], [51, 52]]
    assert [set(row.tolist()) for row in drawn["action"]] == [{0, 1, 2}, {50, 51, 52}]


@pytest.mark.parametrize("agents", [(), (2,)])
def test_a_donated_buffer_is_not_copied(agents):
    """Nor by a scan, in which updates draw from it."""

    def step(replay, first):
        replay = add(replay, transitions(first, 4))
        return replay, jnp.sum(sample(replay, jax.random.key(0), 8)["observation"])

    def scan(replay):
        return jax.lax.scan(step, replay, jnp.arange(3))

    one = jax.eval_shape(lambda: init(jax.random.key(0), EXAMPLE, 10_000))
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct((*agents, *x.shape), x.dtype), one)
    function = jax.vmap(scan) if agents else scan
    compiled = jax.jit(function, donate_argnums=0).lower(shapes).compile()
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(shapes))
    memory = compiled.memory_analysis()
    assert memory.alias_size_in_bytes == size
    assert memory.temp_size_in_bytes < size / 10
    assert "input_output_alias" in compiled.as_text()


def test_the_time_to_add_does_not_depend_on_the_capacity():
    """A copy of the large one would take 20 MB a step, 0.1 s for each of 100."""

    @partial(jax.jit, donate_argnums=0)
    def many(replay):
        def step(replay, first):
            return add(replay, transitions(first, 4)), None

        return jax.lax.scan(step, replay, jnp.arange(100))[0]

    def seconds(capacity):
        replay, times = many(filled(capacity=capacity)), []
        for _ in range(5):
            begun = time.perf_counter()
            replay = jax.block_until_ready(many(replay))
            times.append(time.perf_counter() - begun)
        return min(times)

    assert seconds(1_000_000) < 10 * seconds(100) + 0.01


def test_it_is_a_pytree_of_arrays():
    replay = filled(1)
    assert isinstance(jax.tree.map(lambda x: x, replay), Replay)
    assert len(jax.tree.leaves(replay)) == len(EXAMPLE) + 2
