"""Commands in this process: as `symla` runs them, but for the devices, which stay as they are."""

import io
import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest

import symla.cli


def typed(*arguments, cwd="."):
    """What `run` did, in that folder, as a process would show it: seconds sooner, because nothing
    is imported or compiled anew. Nobody sees a traceback who did not ask for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        code, out, err = run(patch, *arguments)
    assert "--debug" in arguments or "Traceback" not in out + err, err
    return subprocess.CompletedProcess(arguments, code, out, err)


def run(monkeypatch, *arguments, encoding="utf-8"):
    """The exit code, and what was written to stdout and stderr, which have that encoding."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2)]
    for found in iter_modules(symla.cli.__path__):
        module = import_module(f"symla.cli.{found.name}")
        if hasattr(module, "prepare_jax"):
            monkeypatch.setattr(module, "prepare_jax", lambda *_: None)
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    try:
        code = import_module("symla.cli.main").run_command(list(map(str, arguments)))
    except SystemExit as stop:  # tyro's
        code = stop.code
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams)
    return code, out, err
