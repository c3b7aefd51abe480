"""What a test tells: reward early and late in the lifetime, and their paired difference."""

import numpy as np
import pytest

from symla.cli.console import print_test
from symla.evaluation.evaluate import evaluation
from symla.evaluation.lifetime_sums import Sums
from symla.evaluation.statistics import estimate
from symla.lifetimes.lifetime import bin_edges


def shown(capsys, reward, ends, length, regret=None):
    sums = (None if x is None else np.asarray(x, np.float32) for x in (reward, ends, regret))
    edges = bin_edges(length, len(reward[0]))
    print_test("mine", "there", evaluation(Sums(*sums), edges, seed=0))
    return capsys.readouterr().out.splitlines()


def test_reward_of_the_first_and_last_fifth_with_the_paired_difference(capsys):
    """Lifetimes that differ much, and gain the same: the pairing is what shows it."""
    reward = np.array([[0, 5, 5, 5, 4], [20, 9, 9, 9, 24], [-20, 1, 1, 1, -15]])
    ends = np.zeros_like(reward)
    lines = shown(capsys, reward, ends, length=10)
    gain = estimate(np.array([2.0, 2.0, 2.5]))
    assert lines[0] == "mine on there: 3 lifetimes of 10 steps"
    assert lines[-1] == (
        "  reward a step: first fifth 0.0000, last fifth 2.1667; "
        f"paired difference {gain.mean:.4f} ± {gain.ci95:.4f}"
    )
    unpaired = estimate(reward[:, 0] / 2).ci95 + estimate(reward[:, -1] / 2).ci95
    assert gain.ci95 < 0.05 * unpaired
    assert not any("episode" in line or "regret" in line for line in lines)


def test_episodes_are_counted_where_they_end(capsys):
    reward, ends = [[2, 0, 0, 0, 9], [4, 0, 0, 0, 9]], [[1, 0, 0, 0, 2], [1, 0, 0, 0, 4]]
    lines = shown(capsys, reward, ends, length=20, regret=np.ones((2, 5)))
    assert lines[-1].startswith("  an episode: return 3.00, then 3.00; length 4.0, then 1.3 ")
    assert lines[2] == "  regret 5.00 ± 0.00"


@pytest.mark.parametrize(("where", "part"), [(0, "first"), (4, "last")])
def test_where_episodes_ended_in_one_part_alone(capsys, where, part):
    ends = np.zeros((2, 5))
    ends[0, where] = 1
    lines = shown(capsys, np.ones((2, 5)), ends, length=5)
    assert lines[-1] == f"  episodes ended in the {part} fifth alone"
