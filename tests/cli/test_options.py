"""Options: what people type that is none gets one line, and help is help without docstrings."""

import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from symla.cli.flags import flags
from symla.cli.options import CompareOptions, TestOptions, TrainOptions, parse
from symla.cli.words import UNDERSTOOD, WORDS
from tests.cli.in_process import run

RANDOM = ("test", "random", "--environment", "bandit-arms-2")
ANSWERS = {
    "--lr 0.1": (("train", "bandits"), "--learning-rate"),
    "--learning_rat 0.1": (("train", "bandits"), "--learning-rate"),
    "--epochs 3": (("train", "cartpole"), "--generations"),
    "--iterations 3": (("train", "cartpole"), "--generations"),
    "--steps 3": (("train", "cartpole"), "--length"),
    "--num-envs 3": (("train", "cartpole"), "--lifetimes"),
    "--n_envs=3": (RANDOM, "--lifetimes"),
    "--episodes 3": (RANDOM, "--lifetimes"),
    "--total-timesteps 3": (RANDOM, "--length"),
    "--batch-size 3": (("train", "bandits"), "--population"),
    "--batch_size 3": (RANDOM, "--lifetimes"),
    "--gpu": (("train", "cartpole"), "JAX_PLATFORMS"),
    "--cuda": (RANDOM, "JAX_PLATFORMS"),
    "--jobs 2": (("train", "cartpole"), "--devices"),
    "-j 2": (("bench",), "--devices"),
    "--out f": (("train", "cartpole"), "--run-dir"),
    "--output f": (RANDOM, "--json"),
    "-o f": (("reproduce", "figure3"), "--results"),
    "--seeds 3": (RANDOM, "--seed"),
    "--gamma 0.9": (("train", "cartpole"), "--discount"),
    "--resume run": (("train", "cartpole"), "symla resume RUN"),
    "--lr 3": (RANDOM, "--learning-rate"),
    "--algorithm random": (("test",), "without --algorithm"),
    "--lifetims 3": (RANDOM, "--lifetimes"),
    "--xyz": (RANDOM, "symla test --help"),
}


@pytest.mark.parametrize("typed", ANSWERS)
def test_common_words_point_to_the_right_option(monkeypatch, typed):
    command, words = ANSWERS[typed]
    code, out, err = run(monkeypatch, *command, *typed.split())
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert len(err) < 250
    option = typed.split()[0].partition("=")[0]
    assert f"there is no option {option} of" in err
    assert words in err.partition(option)[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("test",), "Missing from symla test"),
        ((*RANDOM, "--lifetimes", "many"), "--lifetimes: invalid literal"),
        ((*RANDOM, "--lifetimes"), "--lifetimes"),
        (("train", "bandits", "--shaping", "rank"), "'group-ranks'"),
        (("list", "things"), "'environments'"),
    ],
)
def test_what_cannot_be_parsed_is_one_line_too(monkeypatch, arguments, words):
    code, out, err = run(monkeypatch, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert words in err
    assert f"`symla {arguments[0]}" in err


def test_env_is_understood():
    assert parse(TestOptions, ["random", "--env", "x"], "test").environment == "x"
    assert parse(TestOptions, ["random", "--env=x"], "test").environment == "x"
    assert parse(CompareOptions, ["a", "--env", "x", "y"], "compare").environments == ("x", "y")
    assert parse(TrainOptions, ["--seed", "3"], "train").seeds == (3,)
    assert parse(TestOptions, ["random", "--time_limit", "2"], "test").time_limit == 2


def test_negative_numbers_are_values():
    @dataclass(frozen=True)
    class Numbers:
        low: float = 0.0

    @dataclass(frozen=True)
    class Nested:
        """Nested."""

        numbers: Numbers = field(default_factory=Numbers)

    assert [flag.name for flag in flags(Numbers)] == ["low"]
    assert parse(Numbers, ["--low", "-1e-3"], "x").low == -1e-3


def test_words_are_data_of_use():
    """No word stands for itself alone, and what is understood has a meaning."""
    assert all(set(options) - {word} for word, options in WORDS.items())
    assert set(UNDERSTOOD) <= set(WORDS)


def test_help_is_help_where_docstrings_are_stripped(monkeypatch):
    commands = [["--help"], ["train", "--help"], ["train", "bandits", "--help"], ["test", "-h"]]
    code = (
        "from symla.cli.main import run_command\n"
        f"for arguments in {commands}:\n"
        "    try:\n        run_command(arguments)\n"
        "    except SystemExit:\n        pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=True
    )
    expected = "".join(run(monkeypatch, *arguments)[1] for arguments in commands)
    assert done.stdout.split() == expected.split()
    assert "Meta-train a learning algorithm" in expected
