"""Tasks drawn at random, of any size up to a bound, whose optimal actions are known.

A family is a function in a file of its own, from a key and `Bounds` to a `Draw`: a table of states
and actions, or a linear system (`draws`). Whatever the family, `RandomTasks` gives the actions an
order of their own, changes rewards, solves the draw (`solving`), draws what is seen of it
(`observing`), and steps through it.
"""

from symla.environments.random_tasks.draws import Bounds, Draw, Family, of_system, of_table
from symla.environments.random_tasks.families import TASK_FAMILIES
from symla.environments.random_tasks.mixture import SMALL_TABLES, RandomTasks

__all__ = [
    "SMALL_TABLES",
    "TASK_FAMILIES",
    "Bounds",
    "Draw",
    "Family",
    "RandomTasks",
    "of_system",
    "of_table",
]
