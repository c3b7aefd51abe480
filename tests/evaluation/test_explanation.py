"""What a rule uses: found where it is known, and by itself."""

import json
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

import symla
from symla.core.distributions import Categorical
from symla.core.errors import SettingError
from symla.evaluation.ablations import PARTS
from symla.evaluation.explanation import Ablation, explain
from symla.evaluation.sensitivity import sensitivities
from symla.evaluation.statistics import Estimate
from symla.experiments import explained
from symla.experiments.explained import WHERE
from symla.rules.loading import load, pretrained
from symla.rules.rule import Rule
from tests.cli.in_process import typed

SMALL = {"lifetimes": 64, "length": 60}


@pytest.fixture(scope="module")
def thompson():
    return symla.explain(symla.load("thompson"), "bandit-arms-3", **SMALL)


def test_thompson_sampling_uses_what_it_is_made_of(thompson):
    assert thompson.sentences == (
        "It uses rewards, its previous action and memory.",
        "It ignores observations.",
    )


def test_nothing_replaced_is_the_rule_itself(thompson):
    alone = symla.meta_test(symla.load("thompson"), "bandit-arms-3", **SMALL)
    np.testing.assert_allclose(thompson.intact.returns, alone.returns)
    ignored = [each for each in thompson.ablations if each.part == "observation"]
    assert [each.difference for each in ignored] == [Estimate(0.0, 0.0)] * 2


def test_its_numbers_are_json_and_a_figure(thompson, tmp_path):
    numbers = json.loads(json.dumps(thompson.to_json()))
    assert numbers["verdicts"]["reward"] == "uses" and numbers["sensitivity"] == []
    thompson.plot(tmp_path / "it.png")
    assert (tmp_path / "it.png").stat().st_size > 10_000


def with_shares(explanation, zeros, other):
    """As if a replacement of the reward had changed the return by so much."""
    result = explanation.ablations[0].result
    kept = [each for each in explanation.ablations if each.part != "reward"]
    new = [
        Ablation("reward", by, result, share, share)
        for by, share in (("zeros", zeros), ("another lifetime", other))
    ]
    return replace(explanation, ablations=(*kept, *new)).verdict("reward")


@pytest.mark.parametrize(
    ("zeros", "other", "verdict"),
    [
        ((-0.5, 0.1), (-0.5, 0.1), "uses"),
        ((0.0, 0.05), (-0.5, 0.1), "uses"),
        ((-0.5, 0.1), (0.0, 0.05), "is there"),
        ((0.5, 0.1), (0.0, 0.5), "better without"),
        ((0.0, 0.05), (0.0, 0.05), "ignores"),
        ((0.0, 0.05), (0.0, 0.15), "not shown"),
        ((-0.12, 0.05), (0.0, 0.05), "not shown"),
    ],
)
def test_a_verdict_needs_its_whole_interval(thompson, zeros, other, verdict):
    assert with_shares(thompson, Estimate(*zeros), Estimate(*other)) == verdict


def test_where_all_steps_pay_the_same_returns_of_episodes_count():
    found = symla.explain(symla.load("random"), "gymnax:CartPole-v1", lifetimes=8, length=60)
    assert found.measure == found.to_json()["measure"] == "return of an episode"
    assert found.counted(found.intact).mean < found.intact.return_.mean == 60
    assert {found.verdict(part) for part in PARTS} == {"ignores"}


class Trace(NamedTuple):
    value: Array


@dataclass(frozen=True)
class Fading:
    """Logits [m, -m] of the trace m <- m / 2 + r."""

    def init_params(self, key, spec):
        return ()

    def init_state(self, params, key, spec):
        return Trace(jnp.zeros(()))

    def step(self, params, state, percept, t, key):
        policy, state = self.update(params, state, percept)
        return policy.sample(key), state

    def differentiable(self):
        return self

    def update(self, params, state, percept):
        value = 0.5 * state.value + percept.reward
        return Categorical(jnp.stack([value, -value])), Trace(value)


def test_the_sensitivity_of_a_trace_is_its_decay():
    early, late = sensitivities(Rule(Fading(), ()), symla.make("bandit-arms-2"), 40, 0)
    assert (early.age, late.age) == (8, 40)
    assert (len(early.by_lag), len(late.by_lag)) == (7, 32)  # none before the first action
    for found in early.by_lag, late.by_lag[:7]:
        np.testing.assert_allclose(found, np.sqrt(2) * 0.5 ** np.arange(7), rtol=1e-5)


def test_what_cannot_be_explained_is_refused():
    with pytest.raises(SettingError, match="learns by gradient"):
        explain(symla.load("reinforce"), "cartpole")
    with pytest.raises(SettingError, match="only environments in JAX"):
        explain(symla.load("random"), "gymnasium:FrozenLake-v1")
    refused = typed("explain", "thompson")
    assert refused.returncode == 2 and "say where to explain it" in refused.stderr


@pytest.mark.slow
def test_the_command_says_it_in_two_sentences(tmp_path):
    small = ("--lifetimes", 4, "--length", 6, "--json", "it.json", "--plot", "it.png")
    done = typed("explain", "bandits", *small, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bandits on bandit-arms-2: the same 4 lifetimes of 6 steps" in done.stdout
    numbers = json.loads((tmp_path / "it.json").read_text())
    assert " ".join(numbers["sentences"]) == done.stdout.splitlines()[-1]
    assert [each["age"] for each in numbers["sensitivity"]] == [1, 6]
    assert (tmp_path / "it.png").exists()


def test_cards_of_shipped_rules_say_it():
    assert set(WHERE) | {"objective"} == set(pretrained())  # which teaches, and does not perceive
    for name, where in WHERE.items():
        card = load(name).card
        assert list(card["explanations"]) == list(where)
        for text, (place, numbers) in zip(card["explained"], card["explanations"].items()):
            assert text.startswith(f"{place}: It uses ") and set(numbers["verdicts"]) == set(PARTS)
        assert "dirty" not in card["explained_by"]["revision"]
    verdicts = {
        (name, place): numbers["verdicts"]
        for name in WHERE
        for place, numbers in load(name).card["explanations"].items()
    }
    hearts = verdicts["gridworld", "hearts-2x2"]
    assert {hearts[part] for part in ("observation", "reward", "memory")} == {"uses"}
    assert verdicts["control", "cartpole"]["reward"] == "ignores"
    assert verdicts["transfer", "target"]["observation"] == "ignores"
    assert verdicts["transfer", "balance"]["reward"] == "better without"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "where"), [(n, p) for n, places in WHERE.items() for p in places])
def test_a_card_explains_what_is_found_again(name, where):
    stored = load(name).card["explanations"][where]["verdicts"]
    found = explain(load(name), explained.place(where), 256, WHERE[name][where], seed=1).to_json()[
        "verdicts"
    ]
    assert {"not shown"} >= {found[part] for part in PARTS if found[part] != stored[part]}
