"""`symla train ENV ENV --algorithm meta-rnn --outer lifetime-ppo`: RL^2 in worlds of two sizes."""

import pytest

from symla.rules.loading import load
from symla.store import RunFolder
from tests.cli.in_process import typed

WORLDS = "point-navigation,episode_length=5", "linear-system,states=3,episode_length=5"
TINY = (
    *(
        "--generations",
        2,
        "--population",
        2,
        "--minibatches",
        2,
        "--update-epochs",
        1,
        "--lifetimes",
        1,
    ),
    *("--hidden-size", 2, "--test-lifetimes", 2, "--run-dir", "r"),
)


@pytest.mark.slow
def test_two_sizes_are_padded_and_the_rule_is_tested_where_there_is_less(tmp_path):
    words = "--algorithm", "meta-rnn", "--outer", "lifetime-ppo", "--ratio", 0.3
    done = typed("train", *WORLDS, *words, *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "padded with zeros to 3 numbers, and actions to 2" in done.stdout
    run = RunFolder(tmp_path / "r")
    outer = run.config()["settings"]["outer"]
    assert (outer["class"], outer["ratio"], outer["optimiser"]["decay_steps"]) == (
        "lifetime-ppo", 0.3, 2 * 1 * 2,
    )  # fmt: skip
    assert run.config()["settings"]["length"] == 2 * 5  # two episodes
    assert load(tmp_path / "r").card["padded"] == [3, 2]
    small = "--lifetimes", 2, "--length", 5
    for words in ((), ("--environment", "pendulum"), ("--environment", "linear-system")):
        done = typed("test", "./r", *words, *small, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    larger = "--environment", "linear-system,states=4"
    done = typed("test", "./r", *larger, *small, cwd=tmp_path)
    assert done.returncode != 0
    assert "at most 3 and 2, to which smaller environments are padded" in done.stderr


def test_options_of_another_outer_loop_are_refused(tmp_path):
    done = typed("train", *WORLDS, "--algorithm", "meta-rnn", "--ratio", 0.3, cwd=tmp_path)
    assert done.returncode != 0
    assert "ratio belongs to lifetime-ppo" in done.stderr
