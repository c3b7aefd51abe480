"""Figures in files: of the right format, whole, the same each time, or refused."""

import os
import subprocess
import sys

import pytest

from symla.core.errors import SettingError, StorageError
from symla.report.drawing import Figure, our_style
from symla.report.figure_files import check_path, save


def draw():
    with our_style():
        figure = Figure(figsize=(2.0, 1.0))
        figure.subplots().plot([1, 2], label="one ± 2")
    return figure


@pytest.fixture
def figure():
    return draw()


def test_the_suffix_says_the_format(tmp_path):
    assert save(draw(), tmp_path / "it.PNG").read_bytes().startswith(b"\x89PNG")
    first, second = (save(draw(), tmp_path / f"{name}.svg").read_bytes() for name in "ab")
    assert b"<svg" in first
    assert first == second  # no date in it, no random ids


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("it.pdf", "must end in .png or .svg"),
        ("it", "must end in"),
        ("no/it.png", "is no folder"),
        ("folder.png", "it is a folder"),
    ],
)
def test_other_paths_are_refused(figure, tmp_path, name, words):
    (tmp_path / "folder.png").mkdir()
    for refuse in (check_path, lambda path: save(figure, path)):
        with pytest.raises(SettingError, match=words):
            refuse(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_backend_of_a_notebook_does_not_matter():
    """It is not installed here: importing matplotlib alone would fail."""
    environ = os.environ | {"MPLBACKEND": "module://no_such_module"}
    for module in ("figure_files", "lifetime_figures"):
        code = f"import symla.report.{module}"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environ)


def test_a_full_disk_leaves_the_old_picture(figure, tmp_path, monkeypatch):
    path = save(figure, tmp_path / "it.png")
    old = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*it.png"):
        save(figure, path)
    assert path.read_bytes() == old
