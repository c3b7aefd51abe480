"""Runs Python code in a new process, with other environment variables or two at a time."""

import os
import subprocess
import sys
import textwrap


def start_python(code: str, **environment: str) -> subprocess.Popen:
    """Start a process that runs `code`."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> tuple[str, str]:
    """What it wrote to stdout and stderr; it must have succeeded."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip(), err


def run_python(code: str, **environment: str) -> tuple[str, str]:
    """Run `code` in a new process. Returns what it wrote to stdout and stderr."""
    return finish(start_python(code, **environment))
