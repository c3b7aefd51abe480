"""How a result was made: command, revision, hardware, versions. Stored with every result."""

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def provenance() -> dict[str, Any]:
    """All of it, as JSON can hold it."""
    return {
        "command": command(),
        "revision": revision(),
        "hardware": hardware(),
        "symla": version("symla"),
        "jax": version("jax"),
        "python": platform.python_version(),
    }


def command() -> str:
    """The command line of this process, quoted for a shell."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)  # of `python -m`
    module = ["-m", spec.name.removesuffix(".__main__")] if spec else []
    program = Path(sys.executable if module else sys.argv[0]).name
    return shlex.join([program, *module, *sys.argv[1:]])


def revision() -> str:
    """Git commit of this source, "-dirty" if it was changed; the version if it is installed."""
    found = _in_git("HEAD")
    return found[0] + ("-dirty" if found[1] else "") if found else f"symla {version('symla')}"


def source() -> str | None:
    """What this source is, whatever else a commit has: the git tree of the package, or the version
    if it is installed. None: it was changed, and nothing says how."""
    found = _in_git("HEAD:./")
    if found:
        return None if found[1] else found[0]
    return f"symla {version('symla')}"


def _in_git(what: str) -> tuple[str, bool] | None:
    """The name of that object, and whether the package was changed since. None: not in git."""
    here = Path(__file__)
    package = here.parents[1]  # a change anywhere in it counts

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(package), *arguments],
            capture_output=True, check=True, encoding="utf-8", errors="replace", timeout=5,
        ).stdout.strip()  # fmt: skip

    try:
        git("ls-files", "--error-unmatch", str(here))  # fails in a repository that is not symla's
        shown = (".", ":(exclude)rules/pretrained")  # shipped rules are data
        changed = git("status", "--porcelain", "--untracked-files=no", *shown)
        return git("rev-parse", what), bool(changed)
    except (OSError, subprocess.SubprocessError):
        return None


def hardware() -> str:
    """Number of cores and model of the machine's processor."""
    return f"{os.cpu_count()} cores of {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
