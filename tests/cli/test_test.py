"""`symla test` and `symla compare`: what is beside a result, the files, what is refused early."""

import json
import re

import pytest

from symla.evaluation import evaluate, references
from symla.evaluation.evaluate import meta_test
from symla.rules.loading import hand_made
from tests.cli.in_process import run

SMALL = ("--lifetimes", "3", "--length", "10")
MINE = "gymnasium:tests.bridge.registered:"


@pytest.fixture
def symla(monkeypatch):
    """A command in this process: its exit code, and what it wrote to stdout and stderr."""
    return lambda *arguments, **how: run(monkeypatch, *arguments, *SMALL, **how)


def test_random_play_and_what_is_best_known_stand_beside(symla, tmp_path):
    out, picture = tmp_path / "out.json", tmp_path / "it.svg"
    files = ("--json", out, "--plot", picture)
    code, shown, _ = symla("test", "ucb1", "--environment", "bandit-arms-2", *files)
    assert code == 0
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
    for words in ("ucb1", "random", "thompson", "does it learn?", "lifetime: ▁ is"):
        assert words in shown
    for words in (b"bandit-arms-2", b"Thompson sampling"):
        assert words in picture.read_bytes()


def test_alone(symla, tmp_path):
    out = tmp_path / "out.json"
    arguments = ("test", "ucb1", "--environment", "bandit-arms-2", "--alone", "--json", out)
    code, shown, _ = symla(*arguments)
    assert code == 0
    report = json.loads(out.read_text())
    assert report["beside"] == {}
    assert report["difference_to_random"] is None
    assert "random" not in shown


def test_output_that_has_no_blocks(symla):
    code, shown, _ = symla("test", "random", "--environment", "bandit-arms-2", encoding="ascii")
    assert code == 0
    assert re.search(r"lifetime: 1 is [0-9.]+, 8 is [0-9.]+", shown)
    assert re.search(r"random( +[0-9.]+){2} +\S+ \+- [0-9.]+ +[1-8]{10}\n", shown)


def test_results_of_a_single_lifetime_are_kept(monkeypatch, tmp_path):
    """It has no interval, and JSON no infinity."""
    tiny = "ppo,units=(4,),interval=8,batch=8,epochs=1"
    sizes = ("--length", "16", "--lifetimes", "1", "--evaluate-every", "0")
    where = ("--environment", "cartpole", "--run-dir", str(tmp_path / "run"))
    assert run(monkeypatch, "test", tiny, *where, *sizes)[0] == 0
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert found["lifetimes"] == 1
    assert found["return"]["ci95"] is None


def test_of_gymnasium(symla):
    """Three tests, of which Q-learning's fits where observations are one-hot."""
    code, shown, _ = symla("test", "gridworld", "--environment", f"{MINE}Corridor-v0")
    assert code == 0
    assert "q-learning" in shown
    assert "return - random's" in shown


def test_a_run_folder_named_like_a_reference_is_not_taken_for_it(symla, tmp_path, monkeypatch):
    monkeypatch.setattr("symla.rules.loading.load", lambda what: hand_made("ucb1"))
    out = tmp_path / "out.json"
    where = ("--environment", "bandit-arms-2", "--json", out)
    code, shown, _ = symla("test", "runs/random", *where)
    assert code == 0
    assert "\nruns/random " in shown
    assert json.loads(out.read_text())["difference_to_random"]["mean"] != 0


def test_a_reference_that_fails_costs_nothing_but_itself(symla, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise evaluate.FaultyEnvironmentError("there: the motor is on fire")

    monkeypatch.setattr(references, "hand_made", fails)
    out = tmp_path / "out.json"
    code, shown, said = symla("test", "ucb1", "--environment", "bandit-arms-2", "--json", out)
    assert code == 0
    assert json.loads(out.read_text())["beside"] == {}
    assert "does it learn?" in shown
    assert "beside it could be tested: there: the motor is on fire" in said


def test_q_learning_is_refused_where_there_is_no_table(symla):
    code, shown, said = symla("test", "q-learning", "--environment", "hearts-2x2")
    assert (code, shown) == (2, "")
    assert "needs one-hot observations" in said


def test_compare(symla, tmp_path):
    out, picture = tmp_path / "out.json", tmp_path / "it.png"
    rules, where = ("random", "bayes-optimal"), ("bandit-easy", "bandit-arms-3")
    seeds = ("--seeds", 1, 2, "--json", out, "--plot", picture)
    code, shown, _ = symla("compare", *rules, "--environments", *where, *seeds)
    assert code == 0
    report = json.loads(out.read_text())
    assert report["seeds"] == [1, 2]
    assert [pair["rule"] for pair in report["pairs"]] == [*rules, *rules]
    assert "two arms" in report["pairs"][3]["reason"]
    assert picture.stat().st_size > 10_000
    assert "n/a, bayes-optimal in bandit-arms-3: bayes-optimal is for bandits of two arms" in shown


def test_compare_nothing_that_can_be(symla):
    code, shown, said = symla("compare", "bayes-optimal", "--environments", "bandit-arms-3")
    assert code == 2
    assert "n/a, bayes-optimal in bandit-arms-3" in shown
    assert "none of these rules" in said


def test_paths_are_shown_by_their_last_part_where_that_tells_them_apart(symla, monkeypatch):
    monkeypatch.setattr("symla.evaluation.comparison.load", lambda what: hand_made("random"))
    for rules, names in (
        (("a/one", "b/two"), ("one", "two")),
        (("a/it", "b/it"), ("a/it", "b/it")),
    ):
        _, shown, _ = symla("compare", *rules, "--environments", "bandit-easy")
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
    symla, command, files, words, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr("symla.evaluation.lifetime_sums._live")
    code, shown, said = symla(*command, *files)
    assert (code, shown) == (2, "")
    assert words in said
