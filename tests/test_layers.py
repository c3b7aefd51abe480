"""The architecture: what each folder may import, no circles, one name for one thing, and no jax
where the command line must answer at once."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import symla

ROOT = Path(symla.__file__).parent
MODULES = {
    ".".join(("symla", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
}

# Folder -> the folders it may import from, besides itself.
CORE = {"core"}
INNER = CORE | {"environments", "algorithms", "bridge", "store", "runtime"}
ALLOWED = {
    "core": set(),
    "environments": CORE,
    "algorithms": CORE,
    "bridge": CORE | {"environments"},  # in ours_as_gymnasium alone: the others do without jax
    "store": CORE,
    "runtime": CORE,
    "report": CORE | {"store"},
    "lifetimes": CORE | {"environments", "algorithms", "bridge", "runtime"},
    "outer": CORE | {"environments", "algorithms", "runtime", "lifetimes"},
    "testing": CORE | {"environments", "algorithms", "bridge", "lifetimes", "outer", "runtime"},
    "rules": INNER | {"lifetimes", "outer"},
    "training": INNER | {"lifetimes", "outer", "rules"},
    "evaluation": INNER | {"lifetimes", "testing", "rules", "report"},
    "experiments": INNER
    | {"lifetimes", "outer", "testing", "rules", "training", "evaluation", "report"},
    "bench": INNER | {"lifetimes", "outer", "rules", "training", "evaluation", "report"},
    "cli": INNER
    | {"lifetimes", "outer", "testing", "rules", "training", "evaluation"}
    | {"experiments", "bench", "report"},
}


def folder(module):
    return module.split(".")[1]


def imports(path, *, late):
    """The modules of symla that a file imports; what is for type checkers only does not count."""
    for node in _statements(ast.parse(path.read_text()), late):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("symla"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("symla"))


def _statements(node, late):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.FunctionDef) and not late:
            continue
        yield child
        yield from _statements(child, late)


def test_nothing_lies_loose():
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py"}
    assert {path.name for path in ROOT.iterdir() if path.is_dir()} - {"__pycache__"} == set(ALLOWED)


@pytest.mark.parametrize("module", [m for m in MODULES if m not in ("symla", "symla.__main__")])
def test_imports_point_one_way(module):
    found = {folder(name) for name in imports(MODULES[module], late=True)}
    forbidden = found - ALLOWED[folder(module)] - {folder(module)}
    assert not forbidden, f"{module} must not import from {forbidden}"


def test_one_file_of_the_bridge_knows_environments():
    """Which Gymnasium loads: the processes of environments do without jax."""
    bridge = {m: path for m, path in MODULES.items() if m.startswith("symla.bridge.")}
    found = {
        m for m, path in bridge.items() if "environments" in map(folder, imports(path, late=True))
    }
    assert found == {"symla.bridge.ours_as_gymnasium"}


def test_there_are_no_circles():
    """Between modules, imports inside functions included."""
    graph = {module: set(imports(path, late=True)) - {module} for module, path in MODULES.items()}
    done, open_ = set(), []

    def visit(module):
        assert module not in open_, " -> ".join([*open_[open_.index(module) :], module])
        if module not in done:
            open_.append(module)
            for other in graph.get(module, ()):
                visit(other)
            open_.pop()
            done.add(module)

    for module in graph:
        visit(module)


def test_no_two_files_and_no_two_public_classes_share_a_name():
    """But for `base.py`, in which a folder's protocol is."""
    files = Counter(path.stem for path in MODULES.values())
    assert {name for name, count in files.items() if count > 1} <= {"__init__", "base"}
    classes = Counter(
        node.name
        for path in MODULES.values()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not {name for name, count in classes.items() if count > 1}


@pytest.mark.parametrize(
    "module",
    [
        "symla",
        "symla.report",
        "symla.cli",
        "symla.store",
        "symla.runtime.machine",
        "symla.bridge.pool",
        "symla.bridge.from_object",
    ],
)
def test_jax_is_not_imported(module):
    code = f"import sys, {module}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
