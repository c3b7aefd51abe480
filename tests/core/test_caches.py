"""The folder of caches."""

import os
import sys

import pytest

from symla.core import caches
from symla.core.caches import cache_folder


def test_the_cache_follows_the_environment(monkeypatch):
    monkeypatch.delenv("SYMLA_CACHE_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert str(cache_folder("xla")) == "/somewhere/symla/xla"
    monkeypatch.setenv("SYMLA_CACHE_DIR", "/elsewhere")
    assert str(cache_folder("xla")) == "/elsewhere/xla"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_user_without_a_home_is_told_once_and_has_a_temporary_folder(
    monkeypatch, caplog, platform
):
    for name in ("SYMLA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does for them
    caches._temporary.cache_clear()
    one, other = cache_folder("kernels"), cache_folder("xla")
    assert one.parent == other.parent
    assert one.parent.is_dir()
    assert [record.message.count("SYMLA_CACHE_DIR") for record in caplog.records] == [1]
    caches._temporary().cleanup()
    caches._temporary.cache_clear()
