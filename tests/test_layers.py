"""Each room imports only from the rooms before it; `report` and `--help` never import jax."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import symla

ROOT = Path(symla.__file__).parent

# Room -> the rooms it may import from.
BASE = {"errors", "types", "networks", "devices", "caches", "spaces"}
INNER = BASE | {"environments", "algorithms", "lifetime", "bridge", "host_lifetime"}
HOST = INNER | {
    "outer",
    "gradients",
    "generation",
    "store",
    "provenance",
    "saving",
    "signals",
    "metrics",
}
ALLOWED = {
    "errors": set(),
    "caches": set(),
    "provenance": set(),
    "types": {"errors"},
    "networks": {"types", "errors"},
    "devices": {"types"},
    "spaces": {"errors"},
    "bridge": {"errors", "spaces"},
    "environments": BASE,
    "kernels": BASE,
    "algorithms": BASE | {"kernels"},
    "lifetime": BASE | {"environments", "algorithms", "kernels"},
    "host_lifetime": BASE | {"algorithms", "bridge"},
    "outer": BASE | {"kernels"},
    "gradients": INNER | {"outer"},
    "store": {"errors"},
    "signals": set(),
    "metrics": {"errors"},
    "saving": {"errors", "types", "store"},
    "witness": set(),
    "processes": {"errors", "witness"},
    "generation": INNER | {"outer", "gradients", "metrics"},
    "train": HOST,
    "evaluate": INNER,
    "rules": HOST,
    "report": {"store", "types", "errors"},
    "experiments": HOST | {"train", "evaluate", "rules"},
    "console": {"train", "evaluate"},
    "benchmark": HOST | {"kernels", "train", "console"},
    "doctor": BASE | {"kernels", "provenance"},
    "catalogue": HOST | {"rules", "experiments"},
    "__main__": {"cli"},
    "machine": BASE | {"processes"},
    "advice": set(),
    "options": {"machine", "store"},
    "runs": HOST
    | {"train", "evaluate", "rules", "experiments", "console", "report"}
    | {"machine", "options", "processes"},
    "cli": HOST
    | {"train", "evaluate", "rules", "experiments", "console", "report", "catalogue"}
    | {"benchmark", "doctor", "machine", "options", "processes", "advice", "runs"},
}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("symla"):
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("symla."))


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    if path == ROOT / "__init__.py":
        return  # the front door, which imports late by name
    forbidden = set(imported_rooms(path)) - ALLOWED[room(path)] - {room(path)}
    assert not forbidden, f"{path} must not import from {forbidden}"


@pytest.mark.parametrize(
    "module",
    ["symla", "symla.report", "symla.cli", "symla.store", "symla.machine", "symla.bridge.pool"],
)
def test_jax_is_not_imported(module):
    code = f"import sys, {module}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
