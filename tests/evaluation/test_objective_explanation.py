"""What an objective asks of a policy: closed forms where it is hand-made."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from symla.algorithms.metagenrl import FollowCritic, LearnedObjective, MetaGenRL
from symla.core.errors import SettingError
from symla.environments import make
from symla.evaluation.objective_explanation import explain_objective
from symla.evaluation.objective_updates import CRITIC, FORMULAS, Question, look, without
from symla.lifetimes.host import spec_of
from symla.rules.loading import load
from symla.rules.rule import Rule
from symla.store import write_json

AGENT = MetaGenRL(units=(8, 8), random_steps=80, batch=16, chunks=4, length=5)
WORLD = make("double-integrator")
LENGTH = 800


@pytest.fixture(scope="module")
def looked():
    """Of agents that follow their critics."""
    others = {name: Question(each, ()) for name, each in FORMULAS.items()}
    return look(replace(AGENT, objective=FollowCritic()), (), WORLD, 2, LENGTH, 0, others)


@pytest.mark.slow
def test_an_objective_is_like_itself(looked):
    for agent in looked:
        np.testing.assert_array_equal(agent.updates["learned"], agent.updates[CRITIC])


@pytest.mark.slow
def test_reinforce_moves_towards_what_was_better_than_expected(looked):
    """-d/dpi (a - pi)^2 A = 2 (a - pi) A."""
    for agent in looked:
        update, product = agent.updates["REINFORCE, lambda 0"], agent.offset * agent.advantage
        near = np.abs(product) < 1e-4  # where rounding decides
        assert ((np.sign(update) == np.sign(product)) | near).all()


@pytest.mark.slow
def test_the_formula_without_rewards_moves_towards_every_action(looked):
    for agent in looked:
        assert (np.sign(agent.updates["towards all that was done"]) == np.sign(agent.offset)).all()


def test_without_an_input_the_losses_do_not_depend_on_it():
    objective = LearnedObjective(units=8)
    params = objective.init_params(jax.random.key(0), spec_of(WORLD))
    reduced = without(objective, params)
    assert list(reduced) == ["reward", "place in the chunk", "V(s')", "V(s)"]
    for row, question in enumerate(reduced.values()):
        weight = question.params.others[0].linear.weight
        assert (np.asarray(weight[row]) == 0).all()
        assert (
            np.delete(weight, row, 0) == np.delete(params.others[0].linear.weight, row, 0)
        ).all()


@pytest.mark.slow
def test_an_explanation_is_whole(tmp_path):
    algorithm = replace(AGENT, objective=LearnedObjective(units=8))
    spec = spec_of(WORLD)
    rule, earlier = (
        Rule(algorithm, algorithm.init_params(jax.random.key(seed), spec)) for seed in (0, 1)
    )
    found = explain_objective(rule, WORLD, 2, LENGTH, 0, {5: earlier, 7: rule})
    assert found.nearest == max(found.likeness, key=lambda name: found.likeness[name].mean)
    assert all(-1 <= each.mean <= 1 for each in found.likeness.values())
    assert 0 <= found.explained.mean <= found.together.mean <= 1
    assert set(found.taught) >= {"learned", found.nearest, CRITIC, "random objective"}
    first, same = found.along
    assert first["generation"] == 5
    assert first["with the last"]["mean"] < 0.999
    assert same["with the last"]["mean"] == pytest.approx(1.0)
    assert found.nearest in found.sentences[2]
    write_json(tmp_path / "it.json", found.to_json())
    found.plot(tmp_path / "it.png")
    assert (tmp_path / "it.png").stat().st_size > 10_000


def test_what_has_no_learned_objective_is_refused():
    with pytest.raises(SettingError, match="has no learned objective"):
        explain_objective(load("follow-critic"), WORLD)
    with pytest.raises(SettingError, match="has no learned objective"):
        explain_objective(load("td3"), WORLD)
