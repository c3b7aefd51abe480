"""Learning algorithms. `ALGORITHMS` maps the names a person types to the classes."""

from symla.algorithms.bandit_algorithms import UCB1, BayesOptimal, Thompson
from symla.algorithms.base import Differentiable, LearningAlgorithm, LearnsFromRollouts
from symla.algorithms.epg import EPG
from symla.algorithms.linear_q_learning import LinearQLearning
from symla.algorithms.lpg import LPG
from symla.algorithms.maml import MAML
from symla.algorithms.meta_rnn import MetaRNN
from symla.algorithms.metagenrl import (
    OBJECTIVES,
    AdvantageWeighted,
    MetaGenRL,
    OffPolicyReinforce,
    WithCriticObjective,
    WithRandomObjective,
)
from symla.algorithms.ppo import PPO
from symla.algorithms.q_learning import QLearning
from symla.algorithms.random import Random
from symla.algorithms.reinforce import Reinforce
from symla.algorithms.symla import SymLA
from symla.algorithms.td3 import DDPG, TD3
from symla.core.precision import methods_in_float32

ALGORITHMS: dict[str, type[LearningAlgorithm] | type[LearnsFromRollouts]] = {
    "symla": SymLA,
    "meta-rnn": MetaRNN,
    "maml": MAML,
    "lpg": LPG,
    "epg": EPG,
    "random": Random,
    "q-learning": QLearning,
    "linear-q-learning": LinearQLearning,
    "ucb1": UCB1,
    "thompson": Thompson,
    "bayes-optimal": BayesOptimal,
    "reinforce": Reinforce,
    "ppo": PPO,
    "ddpg": DDPG,
    "td3": TD3,
    "metagenrl": MetaGenRL,
    "reinforce-off-policy": OffPolicyReinforce,
    "advantage-weighted": AdvantageWeighted,
    "follow-critic": WithCriticObjective,
    "follow-random": WithRandomObjective,
}

# What describes and rebuilds an algorithm, parts of it included.
ALGORITHM_CLASSES: dict[str, type] = ALGORITHMS | OBJECTIVES

# These have no meta-parameters to learn: a person can meta-test them at once.
HAND_MADE = (
    *("random", "q-learning", "linear-q-learning", "ucb1", "thompson", "bayes-optimal"),
    *("reinforce", "ppo", "ddpg", "td3"),
    *("reinforce-off-policy", "advantage-weighted", "follow-critic", "follow-random"),
)

for kind in ALGORITHMS.values():  # also for those who call one by hand
    methods_in_float32(kind, "init_params", "init_state", "step", "update")
    methods_in_float32(kind, "act", "learn", "greedy")

__all__ = [
    "ALGORITHMS",
    "ALGORITHM_CLASSES",
    "DDPG",
    "EPG",
    "HAND_MADE",
    "LPG",
    "MAML",
    "PPO",
    "TD3",
    "UCB1",
    "BayesOptimal",
    "Differentiable",
    "LearningAlgorithm",
    "LearnsFromRollouts",
    "LinearQLearning",
    "MetaGenRL",
    "MetaRNN",
    "QLearning",
    "Random",
    "Reinforce",
    "SymLA",
    "Thompson",
]
