"""MetaGenRL (Kirsch et al. 2020): agents whose policies follow an objective that is learned."""

from symla.algorithms.metagenrl.hand_made import (
    AdvantageWeightedRegression,
    FollowCritic,
    ReinforceObjective,
)
from symla.algorithms.metagenrl.learned import LearnedObjective, RandomObjective
from symla.algorithms.metagenrl.learner import (
    AdvantageWeighted,
    MetaGenRL,
    OffPolicyReinforce,
    WithCriticObjective,
    WithRandomObjective,
)
from symla.algorithms.metagenrl.objective import Objective, Seen

# By the names that run folders and cards have.
OBJECTIVES: dict[str, type] = {
    "learned-objective": LearnedObjective,
    "random-objective": RandomObjective,
    "reinforce-objective": ReinforceObjective,
    "advantage-weighted-objective": AdvantageWeightedRegression,
    "critic-objective": FollowCritic,
}

__all__ = [
    "OBJECTIVES",
    "AdvantageWeighted",
    "AdvantageWeightedRegression",
    "FollowCritic",
    "LearnedObjective",
    "MetaGenRL",
    "Objective",
    "OffPolicyReinforce",
    "RandomObjective",
    "ReinforceObjective",
    "Seen",
    "WithCriticObjective",
    "WithRandomObjective",
]
