"""The rules that ship do what their cards say."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.streams import Stream
from symla.core.types import Discrete, Spec, Timestep
from symla.environments import IndependentBandit, knows_regret, make
from symla.evaluation.evaluate import meta_test
from symla.evaluation.lifetime_sums import live
from symla.evaluation.statistics import estimate
from symla.experiments import shipped
from symla.experiments.shipped import SHIPPED, choose
from symla.rules.loading import hand_made, load, pretrained
from symla.rules.rule import Rule
from tests.probes.environments import Always

TRIALS = [(name, where) for name in SHIPPED for where in SHIPPED[name].tests]
FAST = [(name, next(iter(SHIPPED[name].tests))) for name in SHIPPED]


def check(name, where, lifetimes):
    rule = load(name)
    stored = rule.card["tested"][where]
    environment = SHIPPED[name].tests[where]
    assert stored["environment"] == repr(environment)
    ours, sign = measured(rule, environment, lifetimes, stored["length"], SHIPPED[name].episodic)
    assert abs(sign * ours.mean - stored["mean"]) < 1.5 * (ours.ci95 + stored["ci95"])


def measured(rule, environment, lifetimes, length, episodic):
    """What the card is about, and its sign there."""
    if episodic:
        sums = live(rule, environment, lifetimes, length, 1)
        return estimate(sums.reward.sum(axis=1) / np.maximum(1, sums.ends.sum(axis=1))), 1.0
    found = meta_test(rule, environment, lifetimes, length, seed=1)
    return (found.regret, -1.0) if knows_regret(environment) else (found.return_, 1.0)


def test_what_is_described_is_what_ships():
    assert set(SHIPPED) | {"general", "objective"} == set(pretrained())


@pytest.mark.parametrize(("name", "where"), FAST)
def test_a_card_is_true(name, where):
    check(name, where, 200)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "where"), TRIALS)
def test_a_card_is_true_everywhere(name, where):
    check(name, where, 1000)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_tells_where_it_comes_from(name):
    card = load(name).card
    assert {"summary", "good", "not_good", "lineage", "environment_steps", "seed"} <= {
        *card,
        *card["training"],
    }
    assert card["good"]
    assert card["command"].startswith("symla reproduce")
    assert "dirty" not in card["revision"]


def test_bandits_is_at_home_where_a_person_could_name_it():
    assert make(load("bandits").card["trained_on"]).spec.action_size == 2


@dataclass(frozen=True)
class Pays:
    """`rewards[action]`, every step."""

    rewards: tuple[float, ...]

    @property
    def spec(self):
        return Spec(1, Discrete(len(self.rewards)))

    def sample_task(self, key):
        return ()

    def reset(self, key, task):
        return (), jnp.ones(1)

    def step(self, key, task, state, action):
        never = jnp.zeros((), bool)
        return Timestep(
            (), jnp.ones(1), jnp.asarray(self.rewards, jnp.float32)[action], never, never
        )


@pytest.fixture
def few(monkeypatch):
    """Few lifetimes. What they were drawn for is listed."""
    streams = []

    def counted(rule, environment, lifetimes, length, seed, stream):
        streams.append(stream)
        return live(rule, environment, lifetimes, length, seed, stream)

    monkeypatch.setattr(shipped, "LIFETIMES", 20)
    monkeypatch.setattr(shipped, "live", counted)
    return streams


RULES = {f"always {action}": Rule(Always(action), ()) for action in range(3)}


@pytest.mark.parametrize(
    ("environments", "best"),
    [
        # Best in two of small scale, worst in one of a huge scale: a sum would say always 2.
        ([(0.3, 0.2, 0.1), (3, 2, 1), (-1000, 0, 500)], "always 0"),
        ([(-1000, 0, 500), (0.3, 0.2, 0.1)] * 2 + [(0, 1, 0)], "always 1"),
        ([(0, 0, 1), (1, 0, 0), (0, 0, 1)], "always 2"),  # equals share their rank
        ([(0, 1, 1)], "always 1"),  # the first of equals
        ([(-3, -2, -1)], "always 2"),
    ],
)
def test_environments_of_any_scale_count_the_same(few, environments, best):
    assert choose(RULES, list(map(Pays, environments)), 4) == best
    assert set(few) == {Stream.CHOOSING}
    assert len(few) == len(RULES) * len(environments)


def test_of_bandits_the_least_regret_counts(few):
    rules = {name: hand_made(name) for name in ("random", "thompson", "ucb1")}
    assert choose(rules, [IndependentBandit(2), IndependentBandit(3)], 60) == "thompson"


def test_what_is_reported_is_of_other_lifetimes_than_what_chose(few):
    tested = shipped._test(hand_made("thompson"), IndependentBandit(2), 10, "random")
    assert set(few) == {Stream.TESTING}
    assert tested["difference"]["mean"] == pytest.approx(
        tested["mean"] - tested["random"]["mean"], abs=1e-6
    )
