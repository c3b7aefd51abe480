"""A person's own classes, where they are used: checked before a training, or blamed afterwards."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from symla.algorithms.base import AnyAlgorithm, LearningAlgorithm
from symla.environments.base import Environment, nested_environments
from symla.lifetimes.host import spec_of
from symla.testing.algorithm_checks import check_algorithm
from symla.testing.environment_checks import CheckedEnvironment, check_environment
from symla.testing.subject import is_ours


def check_before_training(algorithm: AnyAlgorithm, environments: Sequence[Any]) -> None:
    """Check every environment, quickly, and an algorithm that a person wrote. Raises what
    `check_environment` and `check_algorithm` do."""
    for environment in environments:
        quick_check(environment)
    if not is_ours(algorithm):
        check_algorithm(algorithm, spec_of(environments[0]))


def quick_check(environment: Any) -> CheckedEnvironment:
    """What `check_environment` finds in a second; found once in a process where that can be."""
    try:
        return _remembered(environment)
    except TypeError:  # not hashable, which is the first thing that it checks
        return check_environment(environment, thorough=False)


@cache
def _remembered(environment: Any) -> CheckedEnvironment:
    return check_environment(environment, thorough=False)


def blame(environment: Environment, algorithm: LearningAlgorithm | None = None) -> None:
    """After lifetimes failed: raise the fault of the class, if a person wrote it, that has one."""
    if not all(map(is_ours, nested_environments(environment))):
        check_environment(environment, thorough=False)
    if algorithm is not None and not is_ours(algorithm):
        check_algorithm(algorithm, environment.spec)
