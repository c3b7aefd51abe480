"""Commands in this process: as `symla` runs them, but for the devices, which stay as they are."""

import io
import sys
from importlib import import_module

MODULES = ("symla.cli.main", "symla.cli.train")


def run(monkeypatch, *arguments, encoding="utf-8"):
    """The exit code, and what was written to stdout and stderr, which have that encoding."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2)]
    for name in MODULES:
        monkeypatch.setattr(import_module(name), "prepare_jax", lambda *_: None)
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    try:
        code = import_module(MODULES[0]).run_command(list(map(str, arguments)))
    except SystemExit as stop:  # tyro's
        code = stop.code
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams)
    return code, out, err
