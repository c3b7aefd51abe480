"""Output that cannot show every character gets plain replacements, and costs no result."""

import io
import json
import sys

import gymnasium
import pytest
from rich.console import Console

from symla.core.output import PLAIN, print_anything
from symla.evaluation.evaluate import meta_test
from symla.report.training_view import TrainingView
from symla.rules.loading import hand_made
from tests.cli.in_process import run


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("ascii", "1.00 ± 0.05 · ▁▄█ …", b"1.00 +- 0.05 | 148 ..."),
        ("ascii", "größe 日", rb"gr\xf6\xdfe \u65e5"),
        ("latin-1", "größe ± 日", b"gr\xf6\xdfe \xb1 \\u65e5"),
        ("cp437", "± →", b"\xf1 ->"),
        ("utf-8", "a\udcff ±", b"a\xff \xc2\xb1"),  # a file whose name is no text
    ],
)
def test_replacements(monkeypatch, encoding, text, shown):
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    print_anything()
    print(text, end="")
    print(text, end="", file=sys.stderr)
    assert out.buffer.getvalue() == err.buffer.getvalue() == shown


def test_streams_that_have_no_encoding_or_are_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    print_anything()
    print("±")
    assert sys.stdout.getvalue() == "±\n"


def test_results_and_files_do_not_depend_on_it(monkeypatch, tmp_path):
    arguments = ("test", "random", "--environment", "bandit-arms-5", "--lifetimes", 4, "--length")
    files = [tmp_path / f"{encoding}.json" for encoding in ("utf-8", "ascii")]
    shown = []
    for path in files:
        code, out, err = run(monkeypatch, *arguments, 5, "--json", path, encoding=path.stem)
        assert (code, err) == (0, "")
        shown.append(out)
    assert "±" in shown[0]
    plain = "".join(PLAIN.get(character, character) for character in shown[0])
    assert shown[1].split() == plain.split()  # columns are as wide as what is in them
    assert files[0].read_bytes() == files[1].read_bytes()
    assert json.loads(files[0].read_text())["lifetimes"] == 4


@pytest.mark.parametrize(("encoding", "sign"), [("ascii", "+-"), ("latin-1", "±"), ("utf-8", "±")])
def test_a_result_can_be_printed_by_a_program_of_ones_own(monkeypatch, encoding, sign):
    """Where nobody called `print_anything`."""
    out = io.TextIOWrapper(io.BytesIO(), encoding, write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    result = meta_test(hand_made("random"), "bandit-arms-5", 4, 5)
    print(result, result.return_)
    said = out.buffer.getvalue().decode(encoding)
    assert f"Evaluation(return {result.return_.mean:.2f} {sign} {result.return_.ci95:.2f}," in said


class Prints(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        print("0 ± 1")
        return 0, 1.0, False, False, {}


def test_what_an_environment_prints_is_no_fault_of_it(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert meta_test(hand_made("random"), Prints, 2, 3).return_.mean == 3


@pytest.mark.parametrize("terminal", [False, True])
def test_a_training_is_shown_on_it(monkeypatch, terminal):
    out = io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    print_anything()
    view = TrainingView(Console(highlight=False, force_terminal=terminal, file=out))
    view.start("symla", "regret", {"random": 2.0, "ucb1": 1.0})
    view.stop(3, interrupted=False)
    assert b"regret to beat: random 2.00 | ucb1 1.00" in out.buffer.getvalue()
