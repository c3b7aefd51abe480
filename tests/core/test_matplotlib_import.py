"""What imports matplotlib can be imported, whatever the environment says of backends and homes."""

import os
import subprocess
import sys

import pytest

from symla.core import caches
from symla.core.matplotlib_import import matplotlib_importable

NOTEBOOK = "module://matplotlib_inline.backend_inline"


@pytest.mark.parametrize("folder", [None, "/somewhere"])
def test_the_environment_is_as_before(monkeypatch, folder):
    monkeypatch.setenv("MPLBACKEND", NOTEBOOK)
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    if folder:
        monkeypatch.setenv("MPLCONFIGDIR", folder)
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), matplotlib_importable():
        assert "MPLBACKEND" not in os.environ
        assert os.environ.get("MPLCONFIGDIR") == folder
        raise ZeroDivisionError
    assert dict(os.environ) == before


def test_a_user_without_a_home(monkeypatch, caplog):
    for name in ("SYMLA_CACHE_DIR", "XDG_CACHE_HOME", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does for them
    caches._temporary.cache_clear()
    with matplotlib_importable():
        assert os.environ["MPLCONFIGDIR"] == f"{caches._temporary().name}/matplotlib"
    assert "MPLCONFIGDIR" not in os.environ
    caches._temporary().cleanup()
    caches._temporary.cache_clear()


@pytest.mark.slow
def test_gymnax_which_imports_it_is_found_in_a_notebook():
    code = "from symla.environments import make; print(make('gymnax:CartPole-v1').spec.action.size)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"MPLBACKEND": NOTEBOOK},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
