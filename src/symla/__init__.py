"""Meta-learn reinforcement-learning algorithms, and use them.

    rule = symla.load("bandits")                            # a learned learning algorithm
    print(symla.meta_test(rule, "bandit-arms-10").regret)    # let it learn in 1,000 lifetimes

Names are imported when first used, so that the command line answers before jax is there.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "load": "rules",
    "meta_test": "evaluate",
    "make": "environments",
    "Rule": "algorithms",
    "Agent": "algorithms.agent",
    "GymnasiumEnvironment": "bridge.environment",
    "SymLA": "algorithms",
    "MetaRNN": "algorithms",
    "EvolutionStrategies": "outer",
    "Spec": "types",
    "Percept": "types",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'symla' has no attribute {name!r}")
    return getattr(import_module(f"symla.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
