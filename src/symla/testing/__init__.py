"""Contract checks of a person's own environment, learning algorithm or outer loop.

    import symla
    print(symla.testing.check_environment(Corridor()))

Each fault is an error of one line: the class, the method, the file and line, what is wrong, and
what to do. The project's own contract tests are these functions.
"""

from symla.testing.algorithm_checks import check_algorithm
from symla.testing.environment_checks import CheckedEnvironment, check_environment
from symla.testing.outer_loop_checks import check_outer_loop

__all__ = ["CheckedEnvironment", "check_algorithm", "check_environment", "check_outer_loop"]
