"""Outer loops. `OUTER_LOOPS` maps the names a person types to the classes."""

from symla.outer.base import Candidates, OuterLoop
from symla.outer.evolution_strategies import EvolutionStrategies
from symla.outer.lifetime_ppo import LifetimePPO
from symla.outer.policy_gradient import PolicyGradient
from symla.outer.teacher import Teacher
from symla.outer.through_critic import ThroughCritic
from symla.outer.through_updates import ThroughUpdates

OUTER_LOOPS: dict[str, type[OuterLoop]] = {
    "evolution-strategies": EvolutionStrategies,
    "policy-gradient": PolicyGradient,
    "lifetime-ppo": LifetimePPO,
    "teacher": Teacher,
    "through-updates": ThroughUpdates,
    "through-critic": ThroughCritic,
}

__all__ = [
    "OUTER_LOOPS",
    "Candidates",
    "EvolutionStrategies",
    "LifetimePPO",
    "OuterLoop",
    "PolicyGradient",
    "Teacher",
    "ThroughCritic",
    "ThroughUpdates",
]
