"""Intervals against tables, simulation and scipy; and which samples are independent."""

import numpy as np
import pytest
from scipy import stats

from symla.evaluation.statistics import Estimate, estimate, over_seeds, paired, unpaired

RNG_SEED = 0


@pytest.mark.parametrize(
    ("samples", "quantile"), [(2, 12.706), (3, 4.303), (4, 3.182), (5, 2.776), (1000, 1.962)]
)
def test_intervals_are_students(samples, quantile):
    """Quantiles of t at 97.5%, from tables."""
    x = np.random.default_rng(RNG_SEED).normal(size=samples)
    found = estimate(x)
    assert found.mean == pytest.approx(x.mean())
    assert found.ci95 / (x.std(ddof=1) / np.sqrt(samples)) == pytest.approx(quantile, abs=1e-3)
    assert (found.low, found.high) == (found.mean - found.ci95, found.mean + found.ci95)


@pytest.mark.parametrize("samples", [3, 5])
def test_intervals_of_few_seeds_cover_the_truth_95_times_in_100(samples):
    """1.96 standard errors would cover 81 and 88 times of 100."""
    x = np.random.default_rng(RNG_SEED).normal(7.0, 2.0, size=(10_000, samples))
    estimates = [estimate(row) for row in x]
    assert np.mean([e.low < 7.0 < e.high for e in estimates]) == pytest.approx(0.95, abs=0.007)


def test_intervals_of_many_skewed_samples_cover_it_too():
    x = np.random.default_rng(RNG_SEED).exponential(size=(2000, 200))
    estimates = [estimate(row) for row in x]
    assert 0.92 < np.mean([e.low < 1.0 < e.high for e in estimates]) < 0.97


def test_one_sample_has_no_interval():
    assert estimate(np.array([3.0])) == Estimate(3.0, float("inf"))
    assert over_seeds([np.array([3.0])]) == Estimate(3.0, float("inf"))
    assert unpaired([np.ones(9)], [np.zeros(9)] * 4) == Estimate(1.0, float("inf"))


def test_float32_samples_are_summed_in_float64():
    x = np.full(2**25, 0.1, np.float32)  # a float32 sum stalls, or drifts
    assert estimate(x).mean == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def rules(seeds, lifetimes=1000, between=1.0, within=1.0, mean=0.0, seed=RNG_SEED):
    """Lifetimes of the rule of each meta-training seed: rules differ, and lifetimes of each."""
    rng = np.random.default_rng(seed)
    centers = mean + rng.normal(0.0, between, seeds)
    return [rng.normal(center, within, lifetimes) for center in centers]


def test_lifetimes_of_one_seed_are_not_independent():
    """With 3 seeds the interval is that of 3 numbers, however many lifetimes each has lived."""
    covered, pooled = [], []
    for seed in range(1000):
        samples = rules(3, lifetimes=50, seed=seed)
        method, together = over_seeds(samples), estimate(np.concatenate(samples))
        assert method.mean == pytest.approx(together.mean)
        covered.append(method.low < 0.0 < method.high)
        pooled.append(together.low < 0.0 < together.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    assert np.mean(pooled) < 0.3  # what pooling claims to be 95%


def test_a_method_without_training_is_measured_over_lifetimes():
    (samples,) = rules(1)
    assert over_seeds([samples]) == estimate(samples)


def shared_tasks(seeds, effect, lifetimes=400):
    """Two methods whose lifetime i is of task i, which decides most of what is earned."""
    rng = np.random.default_rng(RNG_SEED)
    task = rng.normal(0.0, 10.0, lifetimes)
    return [
        [task + shift + rng.normal(0.0, 1.0, lifetimes) for _ in range(seeds)]
        for shift in (effect, 0.0)
    ]


@pytest.mark.parametrize("seeds", [1, 5])
def test_paired_differences_leave_out_how_hard_tasks_are(seeds):
    ours, theirs = shared_tasks(seeds, effect=0.5)
    found = paired(ours, theirs)
    assert found.low < 0.5 < found.high
    assert found.low > 0
    if seeds == 1:  # unpaired: two intervals over tasks
        apart = np.hypot(estimate(ours[0]).ci95, estimate(theirs[0]).ci95)
        assert found.ci95 < apart / 5


def test_pairs_are_seeds_with_seeds_or_all_with_one():
    ours, theirs = shared_tasks(5, effect=0.5)
    differences = [np.mean(a - b) for a, b in zip(ours, theirs)]
    assert paired(ours, theirs) == estimate(np.array(differences))
    one = [np.mean(a - theirs[0]) for a in ours]
    assert paired(ours, theirs[:1]) == estimate(np.array(one))
    with pytest.raises(ValueError, match="shorter"):
        paired(ours, theirs[:3])


def test_a_rule_under_two_conditions_is_compared_seed_by_seed():
    """Rules differ more than conditions do: paired tells, unpaired does not."""
    rng = np.random.default_rng(RNG_SEED)
    theirs = rules(5, between=3.0)
    ours = [x + 0.5 + rng.normal(0.0, 0.5, x.size) for x in theirs]
    assert paired(ours, theirs).low > 0
    apart = unpaired(ours, theirs)
    assert apart.mean == pytest.approx(paired(ours, theirs).mean)
    assert apart.low < 0 < apart.high
    assert paired(ours, theirs).ci95 < apart.ci95 / 10


@pytest.mark.parametrize(("ours", "theirs"), [(5, 5), (3, 10), (2, 2)])
def test_unpaired_is_welchs_interval_over_seeds(ours, theirs):
    a, b = rules(ours, 20, mean=3.0), rules(theirs, 20, between=4.0, seed=1)
    found = unpaired(a, b)
    means = [np.mean(x) for x in a], [np.mean(x) for x in b]
    low, high = stats.ttest_ind(*means, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_methods_whose_seeds_agree_exactly():
    assert unpaired([np.ones(3)] * 2, [np.zeros(3)] * 2) == Estimate(1.0, 0.0)
