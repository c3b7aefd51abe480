"""The same with environments on the host, whose worker processes end with the one that is killed:
a life that goes on lives its episode again, and the end is the same, bit for bit."""

import random
from functools import partial

import pytest

from tests.faults import host_trainer
from tests.faults.test_kills import compare_with_an_uninterrupted_run

LIVES = " ".join((host_trainer.FROZEN_LAKE, *host_trainer.SIMULATORS))


def compare(tmp_path, name, points):
    advance = partial(host_trainer.advance, name=name)
    compare_with_an_uninterrupted_run(tmp_path, points, advance)


@pytest.mark.slow
def test_evolution_strategies_on_the_host(tmp_path):
    compare(tmp_path, "evolution-strategies", (12, None, 25, "stop"))


@pytest.mark.slow
def test_lives_that_go_on_in_simulators(tmp_path):
    """FrozenLake, MuJoCo and Box2D in turn."""
    compare(tmp_path, LIVES, (30, None, 45, None, 21, "stop"))


@pytest.mark.endurance
@pytest.mark.parametrize("name", ["evolution-strategies", *LIVES.split()])
def test_50_kills_on_the_host(tmp_path, name):
    """In four chains, between operations on the disk and at random moments."""
    points = [*random.Random(name).sample(range(40), 4), *[None] * 9]
    random.Random(name).shuffle(points)
    compare(tmp_path, name, points)
