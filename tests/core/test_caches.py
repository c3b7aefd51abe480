"""The folder of caches."""

import sys

from symla.core.caches import cache_folder


def test_the_cache_follows_the_environment(monkeypatch):
    monkeypatch.delenv("SYMLA_CACHE_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert str(cache_folder("xla")) == "/somewhere/symla/xla"
    monkeypatch.setenv("SYMLA_CACHE_DIR", "/elsewhere")
    assert str(cache_folder("xla")) == "/elsewhere/xla"
