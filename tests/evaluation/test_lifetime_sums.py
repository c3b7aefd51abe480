"""What is kept of lifetimes: sums that do not depend on how they are lived."""

import jax
import numpy as np
import pytest

from symla.algorithms import Random
from symla.core.streams import Stream, stream_key
from symla.environments import make
from symla.evaluation import lifetime_sums
from symla.evaluation.evaluation import BINS, evaluation
from symla.evaluation.lifetime_sums import live
from symla.evaluation.statistics import Estimate
from symla.lifetimes.host import HostTransition
from symla.lifetimes.lifetime import bin_edges, lifetime
from symla.rules.loading import hand_made


def test_streams_of_a_seed_have_tasks_of_their_own():
    rule = hand_made("random")
    chosen = live(rule, "bandit-easy", 20, 10, 0, Stream.CHOOSING)
    reported = live(rule, "bandit-easy", 20, 10, 0)
    assert not np.array_equal(chosen.reward, reported.reward)


@pytest.mark.slow
@pytest.mark.parametrize("length", [7, 250], ids=["a bin a step", "bins of 2 and 3 steps"])
def test_sums_are_those_of_lifetimes_lived_alone(length):
    """Lifetime i follows from (seed, stream, i)."""
    rule, environment = hand_made("thompson"), make("bandit-arms-2")
    sums = live(rule, environment, 3, length, 5)
    edges = bin_edges(length, min(length, BINS))
    alone = jax.jit(lambda key: lifetime(rule.algorithm, environment, (), key, length)[1:])
    for i in range(3):
        task, each = alone(jax.random.fold_in(stream_key(5, Stream.TESTING), i))
        regret = environment.regret(task, each.action)
        ends = np.zeros(length)
        for found, steps in zip(sums, (each.reward, ends, regret)):
            expected = np.add.reduceat(np.asarray(steps), edges[:-1])
            np.testing.assert_allclose(found[i], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("lifetimes", "batch"), [(2, 2), (100, 100), (512, 512), (513, 257), (1000, 500), (1025, 342)]
)
def test_batches_are_few_and_equal(lifetimes, batch):
    assert lifetime_sums._batch_size(lifetimes) == batch


def test_a_lifetime_does_not_depend_on_its_batch(monkeypatch):
    rule, environment = hand_made("thompson"), make("bandit-easy")
    together = live(rule, environment, 7, 20, 0)
    monkeypatch.setattr(lifetime_sums, "BATCH", 3)
    apart = live(rule, environment, 7, 20, 0)  # three batches of three, two too many at the end
    assert apart.reward.shape == (7, 20)
    jax.tree.map(np.testing.assert_array_equal, together, apart)


def test_memory_of_a_test_is_flat_in_length():
    environment, key = make("bandit-arms-2"), jax.random.key(0)

    def temporary_bytes(length):
        lowered = lifetime_sums._live.lower(Random(), environment, length, 8, (), key, 0)
        return lowered.compile().memory_analysis().temp_size_in_bytes

    assert temporary_bytes(1_000_000) <= temporary_bytes(1000) + 1_000


@pytest.mark.parametrize(("lived", "edges"), [(4, [0, 1, 3]), (1, [0, 1]), (5, [0, 1, 3, 5])])
def test_what_was_lived_before_a_fault_keeps_its_stretches(monkeypatch, lived, edges):
    """Of a lifetime of 5 steps in 3 stretches: only whole ones count, each with its own steps."""
    monkeypatch.setattr(lifetime_sums, "BINS", 3)
    sums = lifetime_sums._HostSums(2, 5)
    for _ in range(lived):
        one, no = np.ones(2, np.float32), np.zeros(2, bool)
        sums.add(HostTransition(np.zeros(2, np.int32), one, no, no))
    assert sums.reached.tolist() == edges
    measured = evaluation(sums.so_far(), sums.reached, 0)
    assert measured.steps == tuple(edges[1:])
    assert measured.reward_per_step == (Estimate(1.0, 0.0),) * (len(edges) - 1)
