"""Figures under our own settings, whatever a person's are, and files that are right or refused."""

import os
import subprocess
import sys

import matplotlib
import pytest

from symla.core.errors import SettingError, StorageError
from symla.report.drawing import STYLE, check_path, drawing, save


def draw():
    with drawing(2.0, 1.0) as figure:
        figure.subplots().plot([1, 2], label="one ± 2")
    return figure


@pytest.fixture
def figure():
    return draw()


def test_a_person_s_settings_are_neither_used_nor_changed(tmp_path):
    theirs = {"text.usetex": True, "axes.spines.top": True, "savefig.dpi": 30.0}
    with matplotlib.rc_context(theirs):
        before = dict(matplotlib.rcParams)
        with drawing(2.0, 1.0) as figure:
            axis = figure.subplots()
            axis.set_title("$x$ & 100%")  # LaTeX, which is not here, would refuse it
            assert matplotlib.rcParams["savefig.dpi"] == STYLE["savefig.dpi"]
        path = save(figure, tmp_path / "it.png")
        assert dict(matplotlib.rcParams) == before
    assert not axis.spines["top"].get_visible()
    assert path.read_bytes()[16:24] == (300).to_bytes(4, "big") + (150).to_bytes(4, "big")


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


def test_a_full_disk_leaves_the_old_picture(figure, tmp_path, monkeypatch):
    path = save(figure, tmp_path / "it.png")
    old = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*it.png"):
        save(figure, path)
    assert path.read_bytes() == old


def test_whatever_backend_is_asked_for(tmp_path):
    """A notebook's, which is not installed here: importing matplotlib alone would fail."""
    settings = tmp_path / "matplotlibrc"
    settings.write_text("text.usetex: True\n")
    code = (
        "import os, sys; from pathlib import Path; from symla.report.drawing import drawing, save\n"
        "with drawing(1.0, 1.0) as figure: figure.subplots().set_title('100%')\n"
        f"save(figure, Path({str(tmp_path / 'it.png')!r}))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert os.environ['MPLBACKEND'] == 'module://no_such_module'"
    )
    environ = {"MPLBACKEND": "module://no_such_module", "MATPLOTLIBRC": str(settings)}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=os.environ | environ)
    assert (tmp_path / "it.png").exists()
