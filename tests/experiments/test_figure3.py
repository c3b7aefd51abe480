"""Figure 3: what is trained, and how its claims are judged."""

import numpy as np

from symla.experiments.measures import SETS, Measured
from symla.experiments.symla.figure3 import BANDITS, SEEDS_OF, Figure3
from symla.outer import EvolutionStrategies, LifetimePPO

NOISE = np.linspace(-0.01, 0.01, 8)


def found(means, elsewhere):
    """The claims that hold where each learner has that mean regret on the bandit that it was
    trained on, and those `elsewhere`."""

    def cell(mean, seeds):
        return Measured([mean + 0.001 * seed + NOISE for seed in seeds])

    matrix = {
        who: {
            trained: {
                tested: cell(means[who] if trained == tested else elsewhere[who], seeds)
                for tested in BANDITS
            }
            for trained in BANDITS
        }
        for who, seeds in SEEDS_OF.items()
    }
    known = {
        name: Measured([mean + NOISE] * SETS, by_hand=True)
        for name, mean in (("thompson", 2.0), ("bayes-optimal", 1.0))
    }
    references = {f"bandit-{name}": known for name in BANDITS}
    verdicts = Figure3().verdicts({"matrix": matrix, "references": references})
    return {verdict.claim for verdict in verdicts if verdict.holds}, verdicts


def test_both_outer_loops_have_rules_for_each_bandit():
    recipes = Figure3().recipes()
    assert len(recipes) == 5 * (3 + 3 + 5 + 5)
    evolved, by_ppo = recipes["symla-hard-2"], recipes["symla-ppo-hard-2"]
    assert isinstance(evolved.outer, EvolutionStrategies)
    assert isinstance(by_ppo.outer, LifetimePPO)
    assert 16 * by_ppo.environment_steps <= evolved.environment_steps


def test_claims_are_held_by_whole_intervals():
    means = {"symla": 1.2, "meta-rnn": 1.8, "symla-ppo": 1.1, "meta-rnn-ppo": 1.4}
    elsewhere = {"symla": 1.2, "meta-rnn": 1.8, "symla-ppo": 1.3, "meta-rnn-ppo": 3.0}
    holding, verdicts = found(means, elsewhere)
    failed = [verdict.claim for verdict in verdicts if verdict.claim not in holding]
    assert len(verdicts) == 5 * 6 + 1
    assert len(failed) == 5  # MetaRNN by PPO is above the bound on each of the bandits
    assert all("MetaRNN by PPO (1.40" in claim for claim in failed)


def test_a_learner_that_does_not_carry_over_is_said_to_be_worse_elsewhere():
    means = {"symla": 1.2, "meta-rnn": 1.8, "symla-ppo": 1.1, "meta-rnn-ppo": 1.1}
    same = dict.fromkeys(means, 1.5)
    assert not any("not trained on" in claim for claim in found(means, same)[0])
    worse = same | {"meta-rnn-ppo": 1.6}
    assert any("not trained on" in claim for claim in found(means, worse)[0])
