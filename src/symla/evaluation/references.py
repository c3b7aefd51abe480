"""What a result is shown beside: random play, and the best known hand-made algorithm."""

from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core.types import Discrete
from symla.environments import (
    DependentBandit,
    Environment,
    IndependentBandit,
    MoreActions,
    Padded,
    Permuted,
    Projected,
)
from symla.environments.base import nested_environments
from symla.lifetimes.host import spec_of
from symla.rules.loading import hand_made
from symla.rules.rule import Rule


def references(environment: Environment | GymnasiumEnvironment, length: int) -> dict[str, Rule]:
    """By name: random play, and what is best known there, if anything is.

    Thompson sampling where a bandit pays 0 or 1, tabular Q-learning where observations are one-hot
    and actions are numbered. Raises what making an environment of Gymnasium may raise.
    """
    names, spec = ["random"], spec_of(environment)
    if _is_bernoulli_bandit(environment):
        names.append("thompson")
    elif spec.one_hot and isinstance(spec.action, Discrete):
        names.append("q-learning")
    return {name: hand_made(name, length=length) for name in names}


def _is_bernoulli_bandit(environment: Environment | GymnasiumEnvironment) -> bool:
    """However it is permuted or projected; with other rewards it no longer pays 0 or 1."""
    if isinstance(environment, GymnasiumEnvironment):
        return False
    *transforms, inside = nested_environments(environment)
    harmless = all(
        isinstance(each, Permuted | Projected | MoreActions | Padded) for each in transforms
    )
    return harmless and isinstance(inside, IndependentBandit | DependentBandit)
