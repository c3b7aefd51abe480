"""Compiled libraries are cached, and damaged ones are compiled again."""

import pytest

from symla.core import compiler
from tests.core.compiling import finish, run_python, start_python

pytestmark = pytest.mark.skipif(
    compiler.find_compiler() is None, reason="no C++ compiler on this machine"
)

LOAD = """
    from pathlib import Path
    from symla.core import compiler
    print(compiler.load_library(Path({source!r}))[0].answer())
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMLA_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "answer.cc"
    path.write_text('extern "C" int answer() { return 42; }')
    return path


@pytest.fixture
def builds(monkeypatch):
    """The entries built, in order."""
    built, build = [], compiler._build

    def count(compiler_path, source, entry):
        built.append(entry)
        build(compiler_path, source, entry)

    monkeypatch.setattr(compiler, "_build", count)
    return built


def test_builds_once(source, builds):
    for _ in range(2):
        library, _ = compiler.load_library(source)
        assert library.answer() == 42
    assert len(builds) == 1


def test_another_source_or_compiler_is_another_entry(source, builds, tmp_path, monkeypatch):
    compiler.load_library(source)
    source.write_text('extern "C" int answer() { return 43; }')
    assert compiler.load_library(source)[0].answer() == 43
    other = tmp_path / "other-compiler"
    other.symlink_to(compiler.find_compiler())
    monkeypatch.setenv("CXX", str(other))
    compiler.load_library(source)
    assert len(set(builds)) == 3


@pytest.mark.parametrize("damage", ["truncated", "bit flipped", "emptied", "no digest"])
def test_a_damaged_entry_is_rebuilt(source, builds, damage):
    compiler._build(compiler.find_compiler(), source, _entry(source))
    entry = builds.pop()
    data = bytearray(entry.read_bytes())
    if damage == "truncated":
        entry.write_bytes(data[: len(data) // 2])
    elif damage == "bit flipped":
        data[len(data) // 3] ^= 4
        entry.write_bytes(data)
    elif damage == "emptied":
        entry.write_bytes(b"")
    else:
        compiler._digest_path(entry).unlink()
    library, path = compiler.load_library(source)
    assert (library.answer(), path, builds) == (42, entry, [entry])
    assert compiler._is_intact(entry)


def _entry(source):
    """Where `load` will look, without loading: a library that is loaded must not be damaged."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "_build", lambda c, s, entry: seen.append(entry))
        with pytest.raises(compiler.CompilerError):
            compiler.load_library(source)
    return seen[0]


def test_two_processes_build_at_once(source, tmp_path):
    code = LOAD.format(source=str(source))
    processes = [start_python(code) for _ in range(2)]
    assert [finish(process)[0] for process in processes] == ["42", "42"]
    left = sorted(path.suffix for path in (tmp_path / "cache" / "kernels").iterdir())
    assert left == [".sha256", ".so"]


def test_an_entry_outlives_its_compiler(source):
    compiler.load_library(source)
    out, _ = run_python(LOAD.format(source=str(source)), PATH="", CXX="")
    assert out == "42"


def test_a_source_that_does_not_compile(source):
    source.write_text("this is not C++")
    with pytest.raises(compiler.CompilerError, match=r"failed: .*error"):
        compiler.load_library(source)
