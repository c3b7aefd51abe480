"""Runs laid over one another, as a table, a figure, a page, and a page that is served."""

import re
import signal
import subprocess
import sys
import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

from symla.cli.run_aggregates import aggregates_table
from symla.cli.watching import newest_rule
from symla.core.errors import CheckpointError, SettingError
from symla.environments import ENVIRONMENT_CLASSES, Gymnax, Hearts, IndependentBandit, Permuted
from symla.report.curves import (
    RunCurve,
    RunGroup,
    environment_names,
    every_run,
    overlaid,
)
from symla.report.html_report import html_report, watched_report
from symla.report.long_test_figures import draw_test
from symla.report.overlay_figures import draw_overlay
from symla.report.run_figures import draw_training
from symla.report.served import server
from symla.report.tables import overlay_table
from symla.rules.loading import load
from symla.store import TEST, RunFolder, describe
from tests.cli.in_process import typed


def made(path, seed, returns, **settings):
    run = RunFolder(path)
    config = {"algorithm": {"class": "symla"}, "environments": ["hearts"], "seed": seed}
    run.create({"experiment": "recipe", "seed": seed, "settings": config | settings})
    run.append_metrics([{"generation": i + 1, "return_mean": x} for i, x in enumerate(returns)])
    return run


@pytest.fixture
def runs(tmp_path):
    """Two seeds, the second unfinished, another setting, and one that has just begun."""
    return [
        made(tmp_path / "a", 0, [1.0, 2.0, 3.0]),
        made(tmp_path / "b", 1, [3.0, 4.0]),
        made(tmp_path / "c", 0, [5.0, 5.0], length=7),
        made(tmp_path / "d", 2, []),
    ]


def test_seeds_of_one_setting_are_one_line_with_an_interval(runs):
    measure, groups = overlaid(runs)
    assert measure == "return_mean"
    assert [len(group.curves) for group in groups] == [2, 1]
    at, mean, ci95 = groups[0].over_seeds()
    assert at.tolist() == [1, 2] and mean.tolist() == [2.0, 3.0]
    np.testing.assert_allclose(ci95, 12.706 * np.sqrt(2) / np.sqrt(2), rtol=1e-4)
    assert groups[1].over_seeds()[2] is None
    header, rows = overlay_table(measure, groups)
    assert rows[0][1:] == ["2", "2", "3.000 ± 12.706", "3.000"]
    assert all(len(row) == len(header) for row in rows)
    assert [group.name for group in groups] == ["symla on hearts", "symla on hearts (length=7)"]
    shown = [text.get_text() for text in draw_overlay(measure, groups).legends[0].get_texts()]
    assert shown == ["symla on hearts, 2 seeds", "symla on hearts (length=7)"]


def test_the_same_seed_again_is_no_other_seed(runs, tmp_path):
    again = made(tmp_path / "again", 0, [1.0, 2.0, 3.0])
    groups = overlaid([*runs[:2], again])[1]
    assert [len(group.curves) for group in groups] == [2, 1]
    assert groups[1].name == f"symla on hearts ({again.path})"


def test_groups_are_called_by_what_differs(runs, tmp_path):
    outer = [{"class": "teacher", "population": 4}, {"class": "teacher", "population": 8}]
    found = [made(tmp_path / f"p{i}", 0, [1.0, 2.0], outer=x) for i, x in enumerate(outer)]
    names = [group.name for group in overlaid(found)[1]]
    assert names == [f"symla on hearts (outer.population={n})" for n in (4, 8)]


def test_where_environments_take_turns_candidates_have_the_mean_of_a_round(tmp_path):
    run = made(tmp_path / "a", 0, [], environments=["hearts", "target"])
    rows = zip((1.0, 9.0, 2.0, 20.0, 7.0), (0, 1, 0, 1, 0))
    run.append_metrics(
        [
            {"generation": i, "return_mean": x, "environment": turn}
            for i, (x, turn) in enumerate(rows, start=1)
        ]
    )
    curve = overlaid([run])[1][0].curves[0]
    assert curve.at.tolist() == [2, 4] and curve.values.tolist() == [5.0, 11.0]


def test_training_has_a_line_for_each_environment_and_an_axis_for_what_lives_longer(tmp_path):
    settings = {"environments": ["hearts", "bandit-arms-5"], "length": 32}
    run = made(tmp_path / "a", 0, [], **settings, outer={"lifetime": 128})
    run.append_metrics(
        [
            {"generation": 1, "return_mean": 1.0, "environment": 0},
            {"generation": 2, "return_mean": 2.0, "environment": 1},
            {"generation": 3, "return_mean": 3.0, "environment": 0, "return": 9, "return_ci95": 1},
        ]
    )
    figure = draw_training(run)
    lines = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert lines == {"candidates in hearts": [1, 3], "candidates in 5 arms": [2]}
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == [*lines, "the rule, probed in hearts"]
    assert "32 steps" in figure.axes[0].get_ylabel()
    assert "a lifetime" in figure.axes[1].get_ylabel()
    whole = made(tmp_path / "b", 0, [1.0, 2.0])
    assert len(draw_training(whole).axes) == 1 and draw_training(whole).axes[0].get_ylabel()


def test_environments_are_called_by_what_tells_them_apart():
    worlds = [Hearts(2), Permuted(Hearts(3)), Gymnax("CartPole-v1"), IndependentBandit(5)]
    described = [describe(world, ENVIRONMENT_CLASSES) for world in worlds]
    names = environment_names(described)
    assert len(set(names)) == 4 and "Hearts" in names[0] and "Hearts" in names[1]
    assert names[2:] == ["CartPole v1", "IndependentBandit"]


def test_a_run_of_an_earlier_version_that_went_on(tmp_path):
    run = made(tmp_path / "a", 0, [1.0, 9.0, 2.0], environments=["hearts", "target"])
    run.append_metrics([{"generation": 4, "return_mean": 20.0, "environment": 1}])
    assert overlaid([run])[1][0].curves[0].values.tolist() == [5.0, 11.0]
    lines = draw_training(run).axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[1.0, 2.0], [9.0, 20.0]]


def test_a_long_run_takes_no_longer_than_its_points(tmp_path):
    at = np.arange(200_000.0)
    curve = RunCurve(RunFolder(tmp_path), 0, at, at)
    shared, mean, _ = RunGroup("long", (curve,)).over_seeds()
    np.testing.assert_array_equal(shared, mean)


def test_groups_of_finished_runs_have_an_interquartile_mean_over_environments(runs, tmp_path):
    """0 is random play, 1 the highest mean, in each environment by itself."""
    assert aggregates_table(overlaid(runs)[1]) is None  # none is finished
    many = [
        made(tmp_path / f"{length}-{seed}", seed, [1.0], length=length)
        for length in (3, 4)
        for seed in (0, 1)
    ]
    for run, earned in zip(many, (10.0, 10.0, 5.0, 7.0)):
        tests = {
            name: {
                "rule": {"return": {"mean": scale * earned}},
                "random": {"return": {"mean": 0.0}},
            }
            for name, scale in {"small": 1.0, "large": 1000.0}.items()
        }
        run.write_results({"length": 5, "tests": tests})
    header, rows = aggregates_table(overlaid(many)[1])
    assert header == ["over 2 environments", "IQM"]
    assert rows[0][1] == "1.000 [1.000, 1.000]"
    assert rows[1][1].startswith("0.600 [0.500, 0.700")
    page = html_report(runs, tables={"together": (header, rows)})
    assert "<p>together</p>" in page and "1.000 [1.000, 1.000]" in page
    many[-1].results_path.unlink()
    assert aggregates_table(overlaid(many)[1]) is None  # of unlike numbers of seeds


def test_what_cannot_be_laid_over_one_another_is_refused(runs, tmp_path):
    with pytest.raises(SettingError, match="nothing to draw yet"):
        overlaid(runs[-1:])
    other = RunFolder(tmp_path / "test")
    other.create({"experiment": TEST, "seed": 0, "settings": {"algorithm": "td3"}})
    other.append_metrics([{"generation": 5, "training_return": 1.0}])
    with pytest.raises(SettingError, match="no measure in common"):
        overlaid([runs[0], other])
    with pytest.raises(CheckpointError):
        every_run([tmp_path / "nothing"])


def test_the_report_of_a_long_test_has_a_figure(tmp_path):
    run = RunFolder(tmp_path / "run")
    settings = {"algorithm": "td3", "environment": "pendulum"}
    run.create({"experiment": TEST, "seed": 0, "settings": settings})
    run.append_metrics(
        [
            {"generation": 10, "training_return": 1.0},
            {"generation": 20, "training_return": 2.0, "evaluation_return": 3.0},
        ]
    )
    unfinished = typed("report", run.path)
    assert unfinished.returncode == 0, unfinished.stderr
    assert unfinished.stdout.splitlines()[-1] == str(run.figures / "test.png")
    assert [list(line.get_xdata()) for line in draw_test(run).axes[0].lines] == [[10, 20], [20]]
    one, none = {"mean": 3.0, "ci95": 1.0}, {"mean": 3.0, "ci95": None}
    found = {"evaluated_at": [10, 20], "evaluation": [none, one]}
    run.write_results({"length": 20, "episodes": found})
    assert len(draw_test(run).axes[0].collections) == 1


def test_the_page_holds_everything_and_needs_no_network(runs, tmp_path):
    page = html_report(runs, '<p>a "lifetime" & more</p>')
    assert "<svg" in page and "3.000 ± 12.706" in page and "&quot;class&quot;" not in page
    assert 'srcdoc="&lt;p&gt;a &quot;lifetime&quot; &amp; more&lt;/p&gt;"' in page
    assert page == html_report(runs, '<p>a "lifetime" & more</p>')
    addresses = set(re.findall(r"(?:src|href|url)\W+(https?://[^\"')]+)", page))
    assert addresses <= {"http://www.w3.org/1999/xlink"}
    assert "none of these runs has any metrics" in html_report(runs[-1:])
    done = typed("report", *(run.path for run in runs), "--html", "it.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "<iframe" not in (tmp_path / "it.html").read_text("utf-8")  # there is no rule yet
    assert (tmp_path / "report.png").exists()


def test_a_page_is_made_anew_whenever_it_is_asked_for():
    pages = iter(["first", "second"])
    serving = server({"/": lambda: next(pages)})
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{serving.server_port}/"
    try:
        with pytest.raises(SettingError, match="choose another --port"):
            server({}, serving.server_port)
        for expected in ("first", "second"):
            with urlopen(address, timeout=10) as answer:
                assert answer.read().decode() == expected
        for path, code in (("other", 404), ("", 500)):
            with pytest.raises(HTTPError) as refused:
                urlopen(address + path, timeout=10)
            assert refused.value.code == code
            refused.value.close()
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()


def test_the_newest_rule_that_can_live_on_a_page_is_found(runs):
    assert newest_rule(runs) is None
    assert "<iframe" not in watched_report(runs, None, 5)
    folder = runs[1].path / "checkpoints"
    load("bandits").save(folder / "generation-000002.safetensors")
    (folder / "generation-000003.safetensors").touch()  # without its manifest: not there yet
    (runs[0].path / "checkpoints" / "generation-000009.json").write_text("{")
    assert newest_rule(runs) == (runs[1].path, folder / "generation-000002.safetensors")


def test_it_is_served_until_ctrl_c(runs):
    load("bandits").save(runs[1].path / "checkpoints" / "generation-000002.safetensors")
    command = [sys.executable, "-m", "symla", "report", *(run.path for run in runs), "--watch"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            address = process.stdout.readline().split()[0]
            with urlopen(address, timeout=60) as answer:
                page = answer.read().decode()
            assert 'http-equiv="refresh"' in page and "<svg" in page
            assert '<iframe title="a rule learning live" src="/lifetime"' in page
            with urlopen(address + "lifetime", timeout=60) as answer:
                assert "<title>A rule learning live</title>" in answer.read().decode()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
            assert process.stderr.read() == "symla: stopped serving\n"
        finally:
            process.kill()
