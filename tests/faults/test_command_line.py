"""Bad input and faults through the command line: what, where, and what to do."""

import json
import os
import shutil
import subprocess
from functools import partial
from operator import truediv

import pytest

from symla.experiments import Bandits
from symla.store import SCHEMA, RunFolder
from tests.cli.in_process import run, typed
from tests.cli.test_main import command
from tests.faults.test_damage import GOLDEN
from tests.faults.trainer import WORDS, contents


@pytest.fixture(params=[SCHEMA])
def golden(request, tmp_path):
    """A finished run, as the first version with this schema left it."""
    return shutil.copytree(GOLDEN / f"schema-{request.param}", tmp_path / "run")


@pytest.fixture(params=["schema-1", "schema-2"])
def old(request, tmp_path):
    """A finished run whose random numbers followed from its seed in another way."""
    return shutil.copytree(GOLDEN / request.param, tmp_path / "run")


def refused(folder, *arguments, words, code=2, **environment):
    """The words are said, the code is as documented, and nothing on disk is another; in a process
    of its own where it needs another environment."""
    before = contents(folder)
    done = typed(*arguments) if not environment else subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | environment,
    )  # fmt: skip
    said = " ".join(done.stderr.split())
    assert done.returncode == code, said
    for word in words:
        assert word in said
    assert "Traceback" not in said
    assert contents(folder) == before


OLDER = pytest.param(3, marks=pytest.mark.slow)


@pytest.mark.parametrize("golden", [OLDER, SCHEMA], indirect=True)
def test_a_golden_run_resumes(golden):
    rows = RunFolder(golden).metrics()
    done = typed("resume", golden, "--generations", 6)
    assert done.returncode == 0, done.stderr
    assert "changed: search.generations: 4 -> 6" in done.stdout
    after = RunFolder(golden).metrics()
    assert [row["generation"] for row in after] == [1, 2, 3, 4, 5, 6]
    assert after[:4] == rows
    config = RunFolder(golden).config()
    assert config["settings"]["search"]["generations"] == 6
    assert config["resumed"][0]["changes"] == ["search.generations: 4 -> 6"]


def test_a_finished_run_says_so_and_stays_as_it_is(golden, monkeypatch):
    """Until more generations are asked for, or other tests; what is refused is refused as ever."""
    before = contents(golden)
    for words in ((), ("--generations", 4), ("--generations", 2), ("--checkpoint-seconds", 5)):
        code, out, _ = run(monkeypatch, "resume", golden, *words)
        assert code == 0
        assert "is finished" in out
        assert "--generations N" in out
        assert contents(golden) == before
    code, _, said = run(monkeypatch, "resume", golden, "--sigma", "0.1")
    assert code == 2
    assert "--allow-changes" in said
    assert contents(golden) == before
    begun = []
    monkeypatch.setattr(Bandits, "run", lambda self, *_: begun.append(self))
    for words in (("--generations", 6), ("--test-lifetimes", 3), ("--test-arms", 3, 4)):
        run(monkeypatch, "resume", golden, *words)
    assert len(begun) == 3


def test_an_old_run_is_not_resumed_and_is_told_why(old):
    words = ("other random numbers", "streams 1", "still loads and tests", "train anew")
    for changes in ((), ("--generations", "6"), ("--allow-changes", "--generations", "6")):
        refused(old, "resume", old, *changes, words=words)


def test_an_old_run_still_tests_and_reports(old):
    tested = typed(
        "test", old, "--environment", "bandit-arms-3", "--alone", "--lifetimes", 2, "--length", 2
    )
    assert tested.returncode == 0, tested.stderr
    reported = typed("report", old)
    assert reported.returncode == 0, reported.stderr
    assert "2 arms (trained)" in reported.stdout
    assert {path.name for path in (old / "figures").iterdir()} == {"regret.png", "training.png"}


@pytest.mark.slow
def test_other_settings_are_shown_and_refused_until_allowed(golden):
    changed = ("--sigma", "0.1", "--population", "8")
    words = ("search.sigma: 0.4 -> 0.1", "search.population: 4 -> 8", "--allow-changes")
    refused(golden, "resume", golden, *changed, words=words)
    allowed = ("--allow-changes", "--generations", "5")
    done = typed("resume", golden, *changed, *allowed)
    assert done.returncode == 0, done.stderr
    assert "changed: search.sigma: 0.4 -> 0.1" in done.stdout


def test_a_configuration_that_its_checkpoints_do_not_know(golden):
    config = json.loads((golden / "config.json").read_text())
    config["seed"] = 1  # a bit flipped on the disk
    (golden / "config.json").write_text(json.dumps(config))
    refused(golden, "resume", golden, words=("seed: 0 -> 1", "--allow-changes"))


def test_a_misspelt_option_of_resume_gets_the_nearest(golden):
    refused(golden, "resume", golden, "--generatons", "9", words=("--generations",))


def test_a_newer_schema_of_the_configuration(golden):
    config = json.loads((golden / "config.json").read_text())
    (golden / "config.json").write_text(json.dumps({**config, "schema": 99}))
    refused(golden, "resume", golden, words=("newer symla", "--upgrade"))


@pytest.mark.slow
def test_other_random_numbers(golden):
    done = typed("resume", golden, "--generations", 5)  # from here on it remembers them
    assert done.returncode == 0, done.stderr
    newest = next(RunFolder(golden).checkpoints()).read_bytes()
    done = subprocess.run(
        command("resume", golden, "--generations", 6), capture_output=True, text=True, check=False,
        env=os.environ | {"JAX_DEFAULT_PRNG_IMPL": "rbg"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "threefry2x32" in done.stderr
    assert "JAX_DEFAULT_PRNG_IMPL" in done.stderr
    assert next(RunFolder(golden).checkpoints()).read_bytes() == newest


def test_no_display(golden):
    (golden / "figures").mkdir(exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"}
    done = subprocess.run(
        command("report", golden), capture_output=True, text=True, check=False,
        env=environment | {"MPLBACKEND": "TkAgg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list((golden / "figures").glob("*.png"))) == 2


def test_no_gpu(tmp_path):
    words = ("cannot use the devices", "JAX_PLATFORMS")
    arguments = ("test", "random", "--environment", "bandit-easy", "--lifetimes", "2")
    refused(tmp_path, *arguments, words=words, JAX_PLATFORMS="cuda")


@pytest.mark.slow
def test_out_of_memory(tmp_path):
    """A real one: a population larger than the memory that the process may have."""
    limited = ["bash", "-c", f'ulimit -v {6 << 20}; exec "$@"', "limited"]  # in KiB
    arguments = "train", "bandits", "--population", 400_000, "--devices", 1
    done = subprocess.run(
        [*limited, *command(*arguments, "--run-dir", tmp_path / "run")],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 2
    assert "out of memory" in done.stderr
    assert "Take a smaller --population or fewer --lifetimes" in done.stderr
    assert "Traceback" not in done.stderr


def test_checkpoints_as_often_as_never(tmp_path):
    for option in ("--checkpoint-seconds", "--checkpoint-generations"):
        words = (f"{option[2:].replace('-', '_')} must be",)
        refused(tmp_path, "train", "bandits", *WORDS, option, "-1", words=words)


def test_exit_codes_are_shown():
    assert "130 stopped by a signal" in typed("--help").stdout


def test_a_fault_of_ours_is_one_line_too(monkeypatch, capsys):
    from symla.cli import main as cli

    broken = partial(truediv, 1)  # no line of a person's own is in the way of its error
    monkeypatch.setitem(cli.COMMANDS, "list", broken)
    assert cli.run_command(["list"]) == 1
    said = capsys.readouterr().err
    assert "a fault of symla itself: TypeError" in said
    assert "--debug" in said
    assert "Traceback" not in said
    assert cli.run_command(["list", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_options_may_stand_before_the_run(old):
    """With the slash that completion adds, too."""
    refused(old, "resume", "--checkpoint-seconds", "5", f"{old}/", words=("random numbers",))
