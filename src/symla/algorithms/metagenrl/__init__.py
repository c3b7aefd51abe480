"""MetaGenRL (Kirsch et al. 2020): agents whose policies follow an objective that is learned."""

from symla.algorithms.metagenrl.hand_made import (
    AdvantageWeightedRegression,
    FollowCritic,
    ReinforceObjective,
)
from symla.algorithms.metagenrl.learned import LearnedObjective
from symla.algorithms.metagenrl.learner import MetaGenRL, OffPolicyReinforce
from symla.algorithms.metagenrl.objective import Objective

__all__ = [
    "AdvantageWeightedRegression",
    "FollowCritic",
    "LearnedObjective",
    "MetaGenRL",
    "Objective",
    "OffPolicyReinforce",
    "ReinforceObjective",
]
