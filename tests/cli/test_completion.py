"""Completion in the three shells: commands, options, their values, and names."""

import shutil
import subprocess

import pytest

from symla.cli.completion import OPTIONS, completion
from symla.cli.main import COMMANDS
from tests.cli.in_process import run

CASES = {
    "symla re": {"resume", "reproduce", "report"},
    "symla train --sha": {"--shaping"},
    "symla train bandits --shaping ra": {"ranks", "raw"},
    "symla test con": {"control"},
    "symla test thompson --environment hearts": {"hearts", "hearts-2x2"},
    "symla compare random --environments ba": {
        "balance", "bandit-uniform-independent", "bandit-uniform-dependent", "bandit-easy",
        "bandit-biased", "bandit-medium", "bandit-hard",
    },
    "symla reproduce figure": {f"figure{number}" for number in range(3, 8)},
    "symla list pre": {"pretrained"},
}  # fmt: skip
BASH = """
source "$1"
COMP_WORDS=($2)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_symla
printf '%s\\n' "${COMPREPLY[@]}"
"""


def shell(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completion")
    for name in ("bash", "zsh", "fish"):
        (folder / name).write_text(completion(name))
    return folder


def test_every_command_is_completed():
    assert OPTIONS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("line", CASES)
def test_bash(scripts, line):
    assert set(shell("bash", "-c", BASH, "bash", scripts / "bash", line).split()) == CASES[line]


def test_bash_leaves_values_of_ones_own_to_files(scripts):
    for line in ("symla train --run-dir x", "symla report x"):
        assert shell("bash", "-c", BASH, "bash", scripts / "bash", line).split() == []


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
@pytest.mark.parametrize("line", CASES)
def test_fish(scripts, line):
    code = f"source {scripts / 'fish'}; complete -C '{line}'"
    assert set(shell("fish", "--no-config", "-c", code).split()) >= CASES[line]


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_every_command_is_in_the_script(scripts, name):
    text = (scripts / name).read_text()
    assert all(f"{command})" in text or f"from {command}'" in text for command in COMMANDS)
    assert "ranks group-ranks raw" in text
    if shutil.which(name):
        shell(name, "-n", scripts / name)


def test_from_the_command_line(monkeypatch):
    code, out, _ = run(monkeypatch, "--completion", "bash")
    assert code == 0
    assert out == completion("bash")
    for words in (["tcsh"], []):
        code, _, err = run(monkeypatch, "--completion", *words)
        assert code == 2
        assert "known: bash, fish, zsh" in err
