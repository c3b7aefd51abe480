"""`symla test` and `symla compare`: what is beside a result, the files, what is refused early."""

import json

import pytest

from symla.cli.main import run_command
from symla.evaluation import evaluate, references
from symla.evaluation.evaluate import meta_test
from symla.rules.loading import hand_made

SMALL = ("--lifetimes", "3", "--length", "10")
MINE = "gymnasium:tests.bridge.registered:"


@pytest.fixture(autouse=True)
def same_devices(monkeypatch):
    """Those of all tests."""
    for module in ("test", "compare"):
        monkeypatch.setattr(f"symla.cli.{module}.prepare_jax", lambda: None)


def symla(*arguments):
    return run_command([*map(str, arguments), *SMALL])


def test_random_play_and_what_is_best_known_stand_beside(tmp_path, capsys):
    out, picture = tmp_path / "out.json", tmp_path / "it.svg"
    files = ("--json", out, "--plot", picture)
    assert symla("test", "ucb1", "--environment", "bandit-arms-2", *files) == 0
    report = json.loads(out.read_text())
    found = {
        name: meta_test(hand_made(name), "bandit-arms-2", 3, 10)
        for name in ("ucb1", "random", "thompson")
    }
    assert report["return"]["mean"] == found["ucb1"].return_.mean
    assert report["learns"] == found["ucb1"].learns(found["random"])
    assert list(report["beside"]) == ["random", "thompson"]
    for name, other in report["beside"].items():
        assert other["return"]["mean"] == found[name].return_.mean
        assert len(other["reward_per_step_ci95"]) == 10
    of = {"ucb1": report, **report["beside"]}
    differences = {
        name: (one["difference_to_random"] or {}).get("mean") for name, one in of.items()
    }
    random = found["random"]
    assert differences == {
        "ucb1": found["ucb1"].difference(random).mean,
        "random": None,
        "thompson": found["thompson"].difference(random).mean,
    }
    shown = capsys.readouterr().out
    for words in (
        "ucb1",
        "random",
        "thompson",
        "does it learn?",
        "lifetime: ▁ is",
    ):
        assert words in shown
    for words in (b"bandit-arms-2", b"Thompson sampling"):
        assert words in picture.read_bytes()


def test_alone(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert symla("test", "ucb1", "--environment", "bandit-arms-2", "--alone", "--json", out) == 0
    report = json.loads(out.read_text())
    assert report["beside"] == {}
    assert report["difference_to_random"] is None
    assert "random" not in capsys.readouterr().out


def test_of_gymnasium(capsys):
    """Three tests, of which Q-learning's fits where observations are one-hot."""
    assert symla("test", "gridworld", "--environment", f"{MINE}Corridor-v0") == 0
    shown = capsys.readouterr().out
    assert "q-learning" in shown
    assert "return - random's" in shown


def test_a_reference_that_fails_costs_nothing_but_itself(tmp_path, capsys, monkeypatch):
    def fails(*_, **__):
        raise evaluate.FaultyEnvironmentError("there: the motor is on fire")

    monkeypatch.setattr(references, "hand_made", fails)
    out = tmp_path / "out.json"
    assert symla("test", "ucb1", "--environment", "bandit-arms-2", "--json", out) == 0
    assert json.loads(out.read_text())["beside"] == {}
    shown = capsys.readouterr()
    assert "does it learn?" in shown.out
    assert "beside it could be tested: there: the motor is on fire" in shown.err


def test_q_learning_is_refused_where_there_is_no_table(capsys):
    assert symla("test", "q-learning", "--environment", "hearts-2x2") == 2
    assert "needs one-hot observations" in capsys.readouterr().err


def test_compare(tmp_path, capsys):
    out, picture = tmp_path / "out.json", tmp_path / "it.png"
    rules, where = ("random", "bayes-optimal"), ("bandit-easy", "bandit-arms-3")
    seeds = ("--seeds", 1, 2, "--json", out, "--plot", picture)
    assert symla("compare", *rules, "--environments", *where, *seeds) == 0
    report = json.loads(out.read_text())
    assert report["seeds"] == [1, 2]
    assert [pair["rule"] for pair in report["pairs"]] == [*rules, *rules]
    assert "two arms" in report["pairs"][3]["reason"]
    assert picture.stat().st_size > 10_000
    shown = capsys.readouterr().out
    assert "n/a, bayes-optimal in bandit-arms-3: bayes-optimal is for bandits of two arms" in shown


def test_compare_nothing_that_can_be(capsys):
    assert symla("compare", "bayes-optimal", "--environments", "bandit-arms-3") == 2
    shown = capsys.readouterr()
    assert "n/a, bayes-optimal in bandit-arms-3" in shown.out
    assert "none of these rules" in shown.err


def test_paths_are_shown_by_their_last_part_where_that_tells_them_apart(monkeypatch, capsys):
    monkeypatch.setattr("symla.evaluation.comparison.load", lambda what: hand_made("random"))
    for rules, names in (
        (("a/one", "b/two"), ("one", "two")),
        (("a/it", "b/it"), ("a/it", "b/it")),
    ):
        assert symla("compare", *rules, "--environments", "bandit-easy") == 0
        shown = capsys.readouterr().out
        assert all(f"bandit-easy   {name} " in shown for name in names)


TEST = ("test", "random", "--environment", "bandit-easy")
COMPARE = ("compare", "random", "--environments", "bandit-easy")


@pytest.mark.parametrize("command", [TEST, COMPARE], ids=["test", "compare"])
@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("--plot", "it.pdf"), "it.pdf must end in .png or .svg"),
        (("--plot", "no/it.png"), "no is no folder"),
        (("--json", "no/it.json"), "no is no folder"),
        (("--json", "."), "it is a folder"),
    ],
)
def test_files_that_cannot_be_written_are_refused_before_anything_is_tested(
    command, files, words, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr("symla.evaluation.lifetime_sums._live")
    assert symla(*command, *files) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.out == ""
