"""Tests of what learns from rollouts: what is counted where, and how they stand beside others."""

import json
import subprocess
import sys

import numpy as np
import pytest

import symla
from symla.core.errors import SettingError
from symla.core.streams import Stream
from symla.evaluation.learning_lives import begin, live
from symla.evaluation.learning_test import LearningTest, latest, learning_test, result_of
from symla.lifetimes.resolve import make
from symla.rules.loading import hand_made
from tests.cli.in_process import typed

TINY = "td3,units=(4,),batch=4,interval=5,random_steps=5,capacity=40"
ALGORITHM = hand_made(TINY).algorithm
WORLD = make("point-navigation", episode_length=8)


def test_sums_and_returns_are_those_of_the_episodes():
    """Stretches of 5 steps, an episode of 8; the last 2 of 42 steps are lived and not learned."""
    test = LearningTest(ALGORITHM, WORLD, 2, 42, 20, episodes=3)
    assert test.evaluated_at == (20, 40, 42)
    seen = []
    end, done = live(
        test, (), begin(test, (), 0, Stream.TESTING), 0, lambda done, *_: seen.append(done)
    )
    assert done == seen[-1] == 42
    reached = end.reached
    assert reached.reward.shape == (2, 42)
    np.testing.assert_array_equal(np.flatnonzero(reached.ends[0]), [7, 15, 23, 31, 39])
    by_episode = reached.reward[:, :40].reshape(2, 5, 8).sum(axis=2)
    np.testing.assert_allclose(reached.returns[:, 7:40:8], by_episode, rtol=1e-5)
    assert np.isfinite(reached.evaluations).all()

    result = result_of(test, [reached], 0)
    assert result.episodes.training[6] is None
    assert result.episodes.training[7].mean == pytest.approx(by_episode[:, 0].mean(), rel=1e-5)
    last = reached.evaluations[:, -1].mean(axis=1)
    np.testing.assert_allclose(result.episodes.final, last, rtol=1e-5)
    assert json.loads(json.dumps(result.to_json()))["episodes"]["evaluated_at"] == [20, 40, 42]
    assert latest(test, reached, 42)["evaluation_return"] == pytest.approx(last.mean(), rel=1e-5)


def test_a_test_that_is_stopped_goes_on_as_if_it_had_not_been():
    test = LearningTest(ALGORITHM, WORLD, 2, 42, 20, episodes=3)
    whole, _ = live(test, (), begin(test, (), 0, Stream.TESTING), 0, lambda *_: None)
    first, done = live(test, (), begin(test, (), 0, Stream.TESTING), 0, lambda done, *_: done >= 15)
    assert 15 <= done < 42
    second, _ = live(test, (), first, done, lambda *_: None)
    for ours, theirs in zip(second.reached, whole.reached):
        np.testing.assert_array_equal(ours, theirs)


def test_the_clock_decides_no_bit():
    """How many stretches there are in a call follows from it; sums go on as if it did not."""
    algorithm = hand_made("reinforce,units=(4,),interval=8,workers=2").algorithm
    test = LearningTest(algorithm, make("pendulum"), 2, 6400, 0)
    often, rarely = (
        live(test, (), begin(test, (), 0, Stream.TESTING), 0, lambda *_: None, seconds)[0].reached
        for seconds in (0.0, 1000.0)
    )
    np.testing.assert_array_equal(often.reward, rarely.reward)
    assert often.reward.shape[1] < 6400 / 16  # so each is of several stretches


def test_one_lifetime_has_no_interval_and_its_file_says_so(tmp_path):
    words = ["test", TINY, "--environment", "point-navigation,episode_length=8", "--length", "20"]
    files = "--json", tmp_path / "it.json", "--plot", tmp_path / "it.png"
    ran = typed(*words, "--lifetimes", 1, *files)
    assert ran.returncode == 0, ran.stderr
    assert json.loads((tmp_path / "it.json").read_text())["return"]["ci95"] is None
    assert (tmp_path / "it.png").exists()


def test_the_buffer_is_no_larger_than_the_lifetime():
    assert learning_test(ALGORITHM, WORLD, 1, 20, None).algorithm.capacity == 20
    assert learning_test(ALGORITHM, WORLD, 1, 3, None).algorithm.capacity == 5
    assert learning_test(ALGORITHM, WORLD, 1, 50, None).evaluate_every == 5
    objective = hand_made("follow-critic").algorithm  # which adds `interval` steps of each worker
    assert learning_test(objective, WORLD, 1, 4, None).algorithm.capacity == (
        objective.interval * objective.workers
    )


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"lifetimes": 0}, "lifetimes must be at least 1"),
        ({"length": 0}, "length must be at least 1 step, got 0"),
        ({"evaluate_every": -1}, "evaluate_every must be at least 0"),
    ],
)
def test_ranges(wrong, said):
    with pytest.raises(SettingError, match=said):
        symla.meta_test(symla.load(TINY), WORLD, **({"lifetimes": 2, "length": 20} | wrong))


@pytest.mark.slow
def test_compared_with_others_in_the_same_lifetimes():
    worlds = {"points": WORLD, "pole": make("cartpole")}
    found = symla.compare([TINY, "random"], worlds, lifetimes=1, length=42, seeds=(0, 1))
    learner, random, refused, _ = found.pairs
    assert learner.result.lifetimes == random.result.lifetimes == 2
    assert learner.result.episodes
    assert not random.result.episodes
    assert refused.result is None
    assert "TD3 learns continuous actions" in refused.reason


def test_the_command_shows_returns_of_training_and_of_evaluation(tmp_path):
    words = ["test", TINY, "--environment", "point-navigation,episode_length=8", "--length", "42"]
    ran = typed(*words, "--json", str(tmp_path / "it.json"), "--alone")
    assert ran.returncode == 0
    assert "episodes of training, exploring: return" in ran.stdout
    assert "episodes of evaluation, without exploring:" in ran.stdout
    assert "2 lifetimes of 42 steps" in ran.stdout
    assert "episodes" in json.loads((tmp_path / "it.json").read_text())


def test_options_of_learners_are_for_learners():
    words = ["test", "random", "--environment", "bandit-easy", "--evaluate-every", "5"]
    ran = typed(*words)
    assert ran.returncode == 2
    assert "--evaluate-every is for what learns by gradient" in ran.stderr


TRAINED_ON_TWO_DEVICES = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
from symla.algorithms import LPG
from symla.core.streams import Stream
from symla.environments import make
from symla.evaluation.learning_lives import learned
from symla.evaluation.learning_test import learning_test
from symla.runtime.devices import replicate
algorithm = LPG(hidden_size=2, predictions=2, interval=4, workers=1)
world = make("delayed-chain,length=2")
params = algorithm.init_params(jax.random.key(0), world.spec)
test = learning_test(algorithm, world, 2, 8, 0)
found = [learned(test, each, 0, Stream.CHOOSING).reward for each in (params, replicate(params))]
print((found[0] == found[1]).all())
"""


def test_meta_parameters_may_be_on_several_devices():
    """As those of a training are, which is tested while it goes on."""
    done = subprocess.run(
        [sys.executable, "-c", TRAINED_ON_TWO_DEVICES], capture_output=True, text=True, check=False
    )
    assert done.stdout == "True\n", done.stderr
