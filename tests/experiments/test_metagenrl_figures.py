"""Figures of the MetaGenRL paper: what is trained for them, and how their claims are judged."""

import dataclasses

import jax
import numpy as np
import pytest

from symla.algorithms import EPG, MetaGenRL
from symla.core.errors import SettingError
from symla.experiments.learned_table import nothing, untrained
from symla.experiments.measures import Curve
from symla.experiments.metagenrl import (
    inner_steps,
    left_out,
    lessons,
    more_training,
    table2,
)
from symla.experiments.metagenrl.simulators import PublishedTable2, SimulatorsTable2
from symla.experiments.reproduce import at_scale, figures
from symla.lifetimes.resolve import make
from symla.rules.rule import Rule

EDGES = np.arange(0, 60, 10)


def curve(mean):
    """Five seeds of four agents whose reward a step is about `mean`, always."""
    own = np.linspace(-0.01, 0.01, 20).reshape(5, 4)
    return Curve([np.repeat(10 * (mean + row)[:, None], 5, axis=1) for row in own], EDGES)


def test_the_figures_share_their_rules():
    names = [name for name in figures() if name.startswith("metagenrl-")]
    recipes = [figures()[name].recipes() for name in names]
    assert len(names) == 6
    for i, own in enumerate(recipes):
        shared = [(own[who], other[who]) for other in recipes[:i] + recipes[i + 1 :]
                  for who in own.keys() & other.keys()]  # fmt: skip
        assert len(shared) >= len(lessons.SEEDS[:3])
        assert all(one == another for one, another in shared)


def test_each_rule_is_trained_as_its_figure_says():
    without = left_out.WithoutInputs().recipes()["without-v-3"]
    assert not without.algorithm.objective.value
    assert not without.algorithm.objective.next_value
    td_error = left_out.WithoutInputs().recipes()["td-error-3"].algorithm.objective
    assert td_error == dataclasses.replace(without.algorithm.objective, reward="td-error",
                                           value=True, next_value=True)  # fmt: skip
    assert inner_steps.InnerSteps().recipes()["inner-3-0"].algorithm.inner_steps == 3
    assert more_training.MoreTraining().recipes()["all-40-2"].outer.generations == 40
    alone = table2.Table2().recipes()["linear-120-4"]
    assert len(alone.environments) == 1
    assert alone.seed == 4


@pytest.mark.parametrize("world", lessons.WORLDS)
def test_worlds_have_continuous_actions(world):
    assert make(lessons.WORLDS[world]).spec.action.size >= 1


def test_a_claim_holds_where_all_of_its_interval_does():
    worlds = lessons.WORLDS
    ours = table2.LEARNED, f"learned, {lessons.SET}"
    methods = [f"learned, {name}" for name in table2.SETS] + [*lessons.OBJECTIVES, *table2.OTHERS]
    methods += [table2.LEARNED, *table2.ON_POLICY, table2.PAPERS]
    lines = {who: curve(0.5 if who in ours else 0.0) for who in methods}
    lines["advantage-weighted"] = curve(0.6)
    verdicts = table2.Table2().verdicts({"panels": dict.fromkeys(worlds, lines)})
    failed = [verdict for verdict in verdicts if not verdict.holds]
    assert {"than advantage-weighted" in verdict.claim for verdict in failed} == {True}
    assert len(failed) == len(worlds)
    assert failed[0].measured.startswith("-0.10 ± 0.00")


def test_a_loss_of_inputs_is_judged_by_its_interval():
    names = [left_out.WHOLE]
    names += [f"learned, without {what}" for what in left_out.WithoutInputs.changes]
    names.append(left_out.TD_ERROR)
    lines = dict(zip(names, map(curve, (0.5, 0.5, 0.4, 0.1, 0.6))))
    found = left_out.WithoutInputs().verdicts({"panels": {"arm": lines}})
    assert [verdict.holds for verdict in found] == [True, False, True, True]


def test_what_is_left_out_is_trained_without_it():
    found = left_out.WhatMattered().recipes()
    default = found["all-120-2"]
    for name in left_out.WhatMattered.changes:
        changed = found[f"without-{name.replace(' ', '-')}-2"]
        same = dataclasses.replace(default, outer=changed.outer, algorithm=changed.algorithm)
        assert changed == same != default
    papers = found["papers-recipe-2"]
    assert papers.outer.lifetime == papers.outer.led == papers.outer.generations == 0
    assert papers.algorithm.inner == "weights"


def test_the_verdict_says_what_mattered():
    learned = {left_out.WHOLE: curve(0.5), left_out.PAPERS: curve(0.1)}
    without = (f"learned, without {name}" for name in left_out.WhatMattered.changes)
    lines = learned | dict.fromkeys(without, curve(0.5))
    found = left_out.WhatMattered().verdicts({"panels": {"arm": lines}})
    assert [verdict.claim for verdict in found if verdict.holds] == [
        "arm: better than by the paper's recipe"
    ]


def test_agents_are_the_same_and_their_objective_is_another():
    algorithm = MetaGenRL(units=(5,))
    rule = lessons.beside(algorithm, "random objective", 3)
    assert rule.algorithm.units == (5,)
    assert rule.algorithm.objective != algorithm.objective


def test_what_has_not_learned_stands_beside():
    world = make("point-navigation")
    algorithm = EPG(interval=8, history=32, units=(4,))
    rule = Rule(algorithm, untrained(Rule(algorithm, (), {}), world, 0).params, {})
    other = untrained(rule, world, 1).params
    assert not np.array_equal(other.context.weight, rule.params.context.weight)
    assert not any(np.any(x) for x in jax.tree.leaves(nothing(rule, world, 0).params))


def test_a_scale_of_its_own_is_another_figure():
    assert at_scale("metagenrl-table2", "simulators") == ("metagenrl-table2-simulators", "full")
    assert at_scale("metagenrl-table2", "jax") == ("metagenrl-table2", "test")
    assert at_scale("figure3", "tiny") == ("figure3", "tiny")
    with pytest.raises(SettingError, match="is for metagenrl-table2, not for figure3"):
        at_scale("figure3", "paper")
    assert not any("simulators" in name for name in figures())


def test_simulators_are_trained_in_at_a_stated_reduction():
    recipes = SimulatorsTable2().recipes()
    assert sum(name.startswith("cheetah-lunar-") for name in recipes) == 5
    one = recipes["hopper-0"]
    assert one.generations * one.length == 100_000
    assert one.algorithm.units == (64, 64)
    assert one.outer.generations == one.generations


def test_published_sizes_are_the_papers():
    one = PublishedTable2().recipes()["lunar-0"]
    assert one.generations * one.length == 1_000_000
    assert (one.outer.population, one.algorithm.units, one.algorithm.chunks) == (
        20,
        (350, 350),
        100,
    )
    assert one.outer.annealing == "mix"
    assert one.outer.generations == 0  # a constant rate


def test_claims_in_simulators_are_of_the_set_with_five_seeds():
    methods = [*lessons.OBJECTIVES, "REINFORCE on policy", "PPO"]
    lines = {who: curve(0.0) for who in methods} | {"learned, Cheetah & Lunar": curve(0.5)}
    verdicts = SimulatorsTable2().verdicts({"panels": {"Hopper": lines}})
    assert all(verdict.holds for verdict in verdicts)
    assert all(verdict.claim.startswith("Hopper (never seen)") for verdict in verdicts)
