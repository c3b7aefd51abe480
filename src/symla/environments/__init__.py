"""Environments in JAX. `ENVIRONMENTS` maps names, as typed on the command line, to objects."""

from symla.environments.associations import Associations
from symla.environments.bandits import BiasedBandit, DependentBandit, IndependentBandit
from symla.environments.base import (
    Environment,
    KnowsAdvice,
    KnowsRegret,
    knows_advice,
    knows_regret,
)
from symla.environments.continuous_control import LinearSystem, PointNavigation
from symla.environments.control import Balance, Control
from symla.environments.grid_worlds import Hearts, Target
from symla.environments.gymnax_adapter import Gymnax
from symla.environments.motion import Arm, DoubleIntegrator, Unicycle
from symla.environments.object_grids import DelayedChain, ObjectGrids
from symla.environments.padding import Padded
from symla.environments.random_tasks import RandomTasks
from symla.environments.registry import (
    ENVIRONMENT_CLASSES,
    ENVIRONMENTS,
    FAMILIES,
    make,
    name_of,
)
from symla.environments.transforms import MoreActions, Permuted, Projected, Rewards

__all__ = [
    "ENVIRONMENTS",
    "ENVIRONMENT_CLASSES",
    "FAMILIES",
    "Arm",
    "Associations",
    "Balance",
    "BiasedBandit",
    "Control",
    "DelayedChain",
    "DependentBandit",
    "DoubleIntegrator",
    "Environment",
    "Gymnax",
    "Hearts",
    "IndependentBandit",
    "KnowsAdvice",
    "KnowsRegret",
    "LinearSystem",
    "MoreActions",
    "ObjectGrids",
    "Padded",
    "Permuted",
    "PointNavigation",
    "Projected",
    "RandomTasks",
    "Rewards",
    "Target",
    "Unicycle",
    "knows_advice",
    "knows_regret",
    "make",
    "name_of",
]
