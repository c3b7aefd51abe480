"""`symla bench` and `symla doctor` as a person uses them. Speed is never asserted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from symla.bench.shapes import BenchOptions, Shape, parse
from symla.core.errors import SettingError
from tests.cli.test_main import symla

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
TINY = ["--population", "8", "--lifetimes", "2", "--length", "5", "--hidden", "4"]
KEYS = {"shape", "hidden", "population", "lifetimes", "length", "formulation", "backend",
        "env_steps_per_second", "seconds_per_update", "share_of_peak", "spread",
        "lstm_ticks_per_second", "compile_seconds"}  # fmt: skip


@pytest.mark.slow
def test_bench_measures_three_formulations(tmp_path):
    out = tmp_path / "bench.json"
    done = symla("bench", "--shapes", "1x2", "--repeats", 1, *TINY, "--json", out)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())
    assert [row["formulation"] for row in rows] == ["ours", "factored", "literal", "literal"]
    assert [row["sharded"] for row in rows] == [True, True, False, True]
    for row in rows:
        assert set(row) >= KEYS
        assert (row["shape"], row["hidden"], row["population"]) == ("1x2", 4, 8)
        assert row["env_steps_per_second"] * row["seconds_per_update"] == pytest.approx(80)
    parts = rows[0]["seconds_of_parts"]
    assert sum(parts.values()) == pytest.approx(rows[0]["seconds_per_update"])
    for words in (
        "x literal",
        "x sharded",
        "of peak",
        "tick",
        "input projections",
        "random numbers",
        "environment",
    ):
        assert words in done.stdout


def test_doctor_names_the_kernel():
    done = symla("doctor")
    assert done.returncode == 0, done.stderr
    found = {line[:14].strip(): line[14:] for line in done.stdout.splitlines()}
    assert found["kernel"].startswith(("fused, because ", "plain, because "))
    assert {"python", "jax", "devices", "cores", "compiler", "kernel cache"} <= set(found)


def test_doctor_names_a_wrong_choice(monkeypatch):
    monkeypatch.setenv("SYMLA_KERNEL", "fast")
    done = symla("doctor")
    assert done.returncode == 0, done.stderr
    assert "SYMLA_KERNEL must be one of" in done.stdout


@pytest.mark.parametrize("command", ["bench", "doctor"])
def test_help(command):
    done = symla(command, "--help")
    assert done.returncode == 0
    assert f"symla {command}" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--shapes", "4x"], "'4x'"), (["--repeats", "0"], "repeats must be"),
     (["--devices", "0"], "devices must be"), (["--population", "3"], "population must be an even"),
     (["--hidden", "0"], "hidden_size must be"), (["--json", "/proc/no/where"], "cannot write")],
)  # fmt: skip
def test_bad_input_gets_one_clear_message(arguments, words):
    done = symla("bench", "--shapes", "1x2", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_shapes():
    assert parse("75x4").population == 32
    assert parse("9x3") == Shape(9, 3)
    assert BenchOptions(("1x2",), length=7).build() == [
        Shape(1, 2, hidden=64, lifetimes=16, length=7)
    ]


@pytest.mark.parametrize("name", ["4", "4x", "0x2", "4x1", "axb", "4x2x3"])
def test_a_wrong_shape_is_refused(name):
    with pytest.raises(SettingError, match="shape"):
        BenchOptions((name,)).build()


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.name)
def test_the_benchmark_scripts_start(script):
    command = [sys.executable, str(script), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
