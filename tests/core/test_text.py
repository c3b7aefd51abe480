"""Paths in printed commands: what a shell makes of them is the path again."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from symla.algorithms import ALGORITHMS, SymLA
from symla.core.text import brief, html_table, summary, typed

NAMES = ["plain", "runs/a-b_1", "f run", "it's", 'a"b', "$HOME/`x`;&|", "~x", "-x", "-x/y", "größe",
         "a\nb", "a\x1bb", "a\udcffb", "*?[", "a!b", "日\t"]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_shell_gives_it_back(monkeypatch, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    words = [typed(Path(name)) for name in NAMES]
    " ".join(words).encode(encoding)
    script = f"printf '%s\\0' {' '.join(words)}"
    out = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout
    found = [Path(part.decode("utf-8", "surrogateescape")) for part in out.split(b"\0")[:-1]]
    assert found == [Path(name) for name in NAMES]
    assert not any(word.startswith("-") for word in words)


def test_what_needs_no_quotes_has_none_and_a_name_becomes_a_path():
    assert typed(Path("runs/bandits-seed0")) == "runs/bandits-seed0"
    assert typed(Path("bandits")) == "./bandits"


def test_brief_shows_what_is_no_default():
    assert brief(SymLA()) == "SymLA()"
    assert brief(SymLA(hidden_size=4, widths=(3,))) == "SymLA(hidden_size=4, widths=(3,))"


def test_a_table_for_notebooks_escapes_and_cuts():
    shown = html_table("a < b", {"x": "<i>", "none": None, "long": "y" * 999})
    assert "<i>" not in shown
    assert "a &lt; b" in shown
    assert "none" not in shown
    assert len(shown) < 700


def test_a_summary_is_a_whole_sentence():
    def long():
        """What is said of it goes on
        in the next line. And more.

        Nor this."""

    assert summary(long) == "What is said of it goes on in the next line."
    for kind in ALGORITHMS.values():
        assert not summary(kind).endswith(("al.", " .", "(")), summary(kind)
    long.__doc__ = "No more: this"
    assert summary(long) == "No more: this"
