"""What tests tell: returns and regret, reward early and late in the lifetime, does it learn?"""

import re

import numpy as np
import pytest

from symla.cli.results import print_comparison, print_test
from symla.evaluation.comparison import Comparison, Pair
from symla.evaluation.evaluation import Sums, evaluation
from symla.evaluation.statistics import estimate
from symla.lifetimes.lifetime import bin_edges

RISES = np.array([[0, 5, 5, 5, 4], [20, 9, 9, 9, 24], [-20, 1, 1, 1, -15]])
FLAT = np.ones((3, 5))


def result(reward, ends=None, length=10, regret=None):
    reward = np.asarray(reward, np.float32)
    ends = np.zeros_like(reward) if ends is None else np.asarray(ends, np.float32)
    regret = None if regret is None else np.asarray(regret, np.float32)
    return evaluation(Sums(reward, ends, regret), bin_edges(length, reward.shape[1]), seed=0)


def shown(capsys, mine, **beside):
    print_test("runs/mine", "there", {"mine": mine, **beside})
    return capsys.readouterr().out.splitlines()


def cells(line):
    return re.split(r"\s{2,}", line.strip())


def test_a_result_alone(capsys):
    """Lifetimes that differ much, and gain the same: the pairing is what shows it."""
    lines = shown(capsys, result(RISES))
    gain = estimate(np.array([2.0, 2.0, 2.5]))
    unpaired = estimate(RISES[:, 0] / 2).ci95 + estimate(RISES[:, -1] / 2).ci95
    assert gain.ci95 < 0.05 * unpaired
    paired = f"{gain.mean:.4f} ± {gain.ci95:.4f}"
    assert lines[0] == (
        "runs/mine on there: 3 lifetimes of 10 steps (mean ± 95% confidence interval; differences "
        "are paired)"
    )
    assert [cells(line) for line in lines[2:4]] == [["return"], ["mine", "19.33 ± 127.94"]]
    assert cells(lines[6]) == ["mine", "0.0000", "2.1667", paired, "▁███▇"]
    assert lines[8] == "lifetime: ▁ is 0.0000, █ is 2.5000"
    assert lines[9] == (
        f"does it learn? yes: its reward a step is {paired} higher in the last fifth of a lifetime "
        "than in the first"
    )
    assert len(lines) == 10  # nothing of episodes, regret or random play


def test_beside_others_on_the_same_scale(capsys):
    mine = result(RISES, regret=FLAT)
    others = {"random": result(FLAT, regret=2 * FLAT), "q-learning": result(2 * FLAT)}
    lines = shown(capsys, mine, **others)
    assert cells(lines[2]) == ["return", "regret", "return - random's"]
    assert cells(lines[3])[:3] == ["mine", "19.33 ± 127.94", "5.00 ± 0.00"]
    assert cells(lines[3])[3] == str(mine.difference(others["random"]))
    assert cells(lines[4]) == ["random", "5.00 ± 0.00", "10.00 ± 0.00"]
    assert cells(lines[5]) == ["q-learning", "10.00 ± 0.00", "-", "5.00 ± 0.00"]
    assert [cells(line)[-1] for line in lines[8:11]] == ["▁███▇", "▂▂▂▂▂", "▄▄▄▄▄"]


WHY = {  # answer, reason: of rewards, beside those of random play
    "yes": ("higher in the last fifth of a lifetime than in the first", RISES, FLAT),
    "no": ("is not higher in the last fifth", RISES[:, ::-1], FLAT),
    "not shown": ("the interval of last - first contains 0", [[0] * 5, [0, 0, 0, 0, 1]], FLAT[:2]),
    "no ": ("rises no more than that of random play", RISES, RISES),
    "not shown ": ("may rise no more than that of", RISES, RISES - 9 * np.eye(3, 5, 2)),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "case"), WHY.items())
def test_does_it_learn(capsys, answer, case):
    reason, mine, random = case
    line = shown(capsys, result(mine), random=result(random))[-1]
    assert line.startswith(f"does it learn? {answer.strip()}: ")
    assert reason in line


def test_of_random_play_it_is_not_asked(capsys):
    print_test("random", "there", {"random": result(RISES)})
    assert "does it learn" not in capsys.readouterr().out


def test_episodes_are_counted_where_they_end(capsys):
    reward, ends = [[2, 0, 0, 0, 9], [4, 0, 0, 0, 9]], [[1, 0, 0, 0, 2], [1, 0, 0, 0, 4]]
    lines = shown(capsys, result(reward, ends, length=20))
    assert lines[-1].startswith(
        "an episode: return 3.00 in the first fifth, 3.00 in the last; length 4.0, then 1.3 "
    )


@pytest.mark.parametrize(("where", "part"), [(0, "first"), (4, "last")])
def test_where_episodes_ended_in_one_part_alone(capsys, where, part):
    ends = np.zeros((2, 5))
    ends[0, where] = 1
    lines = shown(capsys, result(FLAT[:2], ends, length=5))
    assert lines[-1] == f"episodes ended in the {part} fifth alone"


def test_a_comparison_says_below_why_a_pair_is_missing(capsys):
    first, second = result(FLAT), result(RISES)
    pairs = (
        Pair("here", "random", first, None),
        Pair("here", "mine", second, second.difference(first)),
        Pair("there", "random", first, None),
        Pair("there", "mine", None, None, "it has other sizes"),
    )
    print_comparison(Comparison(pairs, lifetimes=3, length=10, seeds=(0, 1)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 lifetimes of 10 steps with each of 2 seeds, the same for all")
    assert cells(lines[2]) == [
        "environment", "rule", "return", "return - random's", "last fifth", "last - first",
    ]  # fmt: skip
    assert cells(lines[3]) == ["here", "random", "5.00 ± 0.00", "0.5000 ± 0.0000",
                               "0.0000 ± 0.0000"]  # fmt: skip
    assert cells(lines[4])[:4] == ["here", "mine", str(second.return_), str(pairs[1].difference)]
    assert cells(lines[6]) == ["there", "mine", "n/a"]
    assert lines[-1] == "n/a, mine in there: it has other sizes"
