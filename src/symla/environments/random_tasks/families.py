"""The families that a mixture names."""

from symla.core.errors import UnknownNameError
from symla.core.naming import find_object
from symla.environments.random_tasks.chain import chain
from symla.environments.random_tasks.context_bandit import context_bandit
from symla.environments.random_tasks.deep_sea import deep_sea
from symla.environments.random_tasks.delay import delay
from symla.environments.random_tasks.draws import Family
from symla.environments.random_tasks.grid import grid
from symla.environments.random_tasks.linear_bandit import linear_bandit
from symla.environments.random_tasks.linear_system import linear_system
from symla.environments.random_tasks.memory import memory
from symla.environments.random_tasks.random_mdp import random_mdp
from symla.environments.random_tasks.stages import stages
from symla.environments.random_tasks.survival import survival
from symla.environments.random_tasks.switching import switching

TASK_FAMILIES: dict[str, Family] = {
    "bandit": context_bandit,
    "mdp": random_mdp,
    "grid": grid,
    "chain": chain,
    "survival": survival,
    "deep-sea": deep_sea,
    "memory": memory,
    "delay": delay,
    "stages": stages,
    "switching": switching,
    "linear-bandit": linear_bandit,
    "linear-system": linear_system,
}


def family(name: str) -> Family:
    """The family of that name, or package.module:FUNCTION. Raises UnknownNameError."""
    if name in TASK_FAMILIES:
        return TASK_FAMILIES[name]
    if ":" in name:
        return find_object(name, "family of tasks")
    raise UnknownNameError("family of tasks", name, TASK_FAMILIES, ", or package.module:FUNCTION")
