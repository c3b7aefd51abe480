"""A person's own classes, where they are used: checked before a training, or blamed afterwards."""

from collections.abc import Sequence
from typing import Any

from symla.algorithms.base import LearningAlgorithm
from symla.environments.base import Environment, nested_environments
from symla.lifetimes.host import spec_of
from symla.testing.algorithm_checks import check_algorithm
from symla.testing.environment_checks import check_environment
from symla.testing.subject import is_ours


def check_before_training(algorithm: LearningAlgorithm, environments: Sequence[Any]) -> None:
    """Check every environment, quickly, and an algorithm that a person wrote. Raises what
    `check_environment` and `check_algorithm` do."""
    for environment in environments:
        check_environment(environment, thorough=False)
    if not is_ours(algorithm):
        check_algorithm(algorithm, spec_of(environments[0]))


def blame(environment: Environment, algorithm: LearningAlgorithm | None = None) -> None:
    """After lifetimes failed: raise the fault of the class, if a person wrote it, that has one."""
    if not all(map(is_ours, nested_environments(environment))):
        check_environment(environment, thorough=False)
    if algorithm is not None and not is_ours(algorithm):
        check_algorithm(algorithm, environment.spec)
