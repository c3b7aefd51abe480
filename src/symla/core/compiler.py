"""Compiles a C++ kernel on first use and caches the library.

There is one cache entry for each source, compiler, set of flags, processor and version of jaxlib.
An entry is a library and, in a second file, its SHA-256, by which a damaged library is detected.
Both are written under temporary names and then renamed: other processes read whole files or none.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import jax.ffi
import jaxlib

from symla.core.caches import cache_folder

CACHE = "kernels"  # folder in the cache
SHARED_HEADERS = Path(__file__).parent  # headers that all sources may include
_TIME_LIMIT = 300  # seconds, after which a compiler is taken to hang


class CompilerError(Exception):
    """The library cannot be compiled or loaded. The message says why, in one line."""


def load_library(source: Path) -> tuple[ctypes.CDLL, Path]:
    """Compile `source`, or load what was compiled before. Returns the library and its path.

    Raises CompilerError.
    """
    try:
        return _load(source)
    except OSError as error:
        raise CompilerError(
            f"cannot use the folder {cache_folder(CACHE)} ({error}): set SYMLA_CACHE_DIR to another"
        ) from error


def find_compiler() -> str | None:
    """The path of the first of $CXX, g++, clang++ and c++ that is installed; None if none is."""
    names = [os.environ.get("CXX"), "g++", "clang++", "c++"]
    return next((path for name in names if name and (path := shutil.which(name))), None)


def _load(source: Path) -> tuple[ctypes.CDLL, Path]:
    headers = [*sorted(source.parent.glob("*.h")), *sorted(SHARED_HEADERS.glob("*.h"))]
    text = [path.read_bytes() for path in (source, *headers)]
    stem = f"{source.stem}-{_hash(*text, *_flags(), jaxlib.__version__, processor())}"
    compiler = find_compiler()
    if compiler is None:
        # A library that an earlier compiler built still works after its removal.
        entries = [entry for entry in cache_folder(CACHE).glob(f"{stem}-*.so") if _is_intact(entry)]
        if not entries:
            raise CompilerError("no C++ compiler found (looked for $CXX, g++, clang++ and c++)")
        return ctypes.CDLL(str(entries[0])), entries[0]

    entry = cache_folder(CACHE) / f"{stem}-{_hash(compiler, _version(compiler))}.so"
    if not _is_intact(entry):
        _build(compiler, source, entry)
    return ctypes.CDLL(str(entry)), entry


def _flags() -> list[str]:
    """No fast-math, so that NaN stays NaN; fused multiply-adds are allowed, they round once."""
    native = "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native"
    return ["-std=c++17", "-O3", native, "-ffp-contract=fast", "-fPIC", "-shared"]


def _build(compiler: str, source: Path, entry: Path) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=entry.parent, prefix="building-") as folder:
        library, digest = Path(folder, "library"), Path(folder, "digest")
        folders = f"-isystem{jax.ffi.include_dir()}", f"-I{SHARED_HEADERS}"
        _run([compiler, *_flags(), *folders, str(source), "-o", str(library)])
        digest.write_text(hashlib.sha256(library.read_bytes()).hexdigest())
        os.replace(library, entry)
        os.replace(digest, _digest_path(entry))


def _is_intact(entry: Path) -> bool:
    try:
        expected = _digest_path(entry).read_text()
        return hashlib.sha256(entry.read_bytes()).hexdigest() == expected
    except (OSError, UnicodeDecodeError):
        return False


def _digest_path(entry: Path) -> Path:
    return entry.with_suffix(".sha256")


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_TIME_LIMIT
        )
    except subprocess.TimeoutExpired as error:
        raise CompilerError(f"{command[0]} took longer than {_TIME_LIMIT} s") from error
    if done.returncode != 0:
        line = next((line for line in done.stderr.splitlines() if "error" in line.lower()), "")
        raise CompilerError(f"{command[0]} failed: {line.strip() or done.stderr.strip()[:200]}")
    return done.stdout


@cache
def _version(compiler: str) -> str:
    return _run([compiler, "--version"])


@cache
def processor() -> str:
    """Model and instruction sets. A library compiled for one processor may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    wanted = ("model name", "flags", "CPU implementer", "CPU part", "Features")
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in wanted:
            found.setdefault(name.strip(), value.strip())
    if sys.platform == "darwin":
        found["model"] = _run(["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]).strip()
    return " ".join([platform.machine(), *found.values()])


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:16]
