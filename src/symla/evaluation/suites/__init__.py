"""Suites: environments in which rules are compared, under one name, beside the same references.

`symla compare RULE [RULE ...] --environments SUITE`
"""

from symla.evaluation.suites.anymdp import ANY_MDP
from symla.evaluation.suites.suite import Suite
from symla.evaluation.suites.unseen import UNSEEN

SUITES: dict[str, Suite] = {"unseen": UNSEEN, "anymdp": ANY_MDP}

__all__ = ["SUITES", "Suite"]
