"""Experiments: what is trained, what is tested, what must come out. One file each.

`EXPERIMENTS` maps the names a person types to the classes of their settings. No jax is imported
until an experiment runs.
"""

from symla.experiments.bandit_training import Bandits
from symla.experiments.base import Experiment, View
from symla.experiments.environment_training import EnvironmentTraining

EXPERIMENTS: dict[str, type[Experiment]] = {"bandits": Bandits}

__all__ = ["EXPERIMENTS", "Bandits", "EnvironmentTraining", "Experiment", "View"]
