"""Meta-learn reinforcement-learning algorithms, and use them.

    rule = symla.load("bandits")                            # a learned learning algorithm
    print(symla.meta_test(rule, "bandit-arms-10").regret)    # let it learn in 1,000 lifetimes

Names are imported when first used, so that the command line answers before jax is there. Our
environments are registered in Gymnasium, gymnasium.make("symla/hearts-v0").
"""

from importlib import import_module
from typing import Any

from symla.bridge.registration import register as _register

_register()

_HOMES = {
    "load": "rules.loading",
    "meta_train": "experiments.meta_train",
    "meta_test": "evaluation.evaluate",
    "compare": "evaluation.comparison",
    "explain": "evaluation.explanation",
    "make": "lifetimes.resolve",
    "Rule": "rules.rule",
    "Agent": "rules.agent",
    "GymnasiumEnvironment": "bridge.gymnasium_environment",
    "SymLA": "algorithms",
    "MetaRNN": "algorithms",
    "EvolutionStrategies": "outer",
    "PolicyGradient": "outer",
    "LifetimePPO": "outer",
    "Teacher": "outer",
    "Optimiser": "core.optimisers",
    "Training": "training.generation",
    "Evaluation": "evaluation.evaluation",
    "Comparison": "evaluation.comparison",
    "Explanation": "evaluation.explanation",
    "Estimate": "evaluation.statistics",
    "Spec": "core.types",
    "Discrete": "core.types",
    "Continuous": "core.types",
    "Timestep": "core.types",
    "Percept": "core.types",
}

_FOLDERS = ("testing",)

__all__ = [*_HOMES, *_FOLDERS]


def __getattr__(name: str) -> Any:
    if name in _FOLDERS:
        return import_module(f"symla.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'symla' has no attribute {name!r}")
    return getattr(import_module(f"symla.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
