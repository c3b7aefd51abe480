"""The environments that have a name, and the prefixes that make one from the rest of a name."""

import re
from collections.abc import Callable

from symla.core.errors import SettingError, UnknownNameError
from symla.core.precision import methods_in_float32
from symla.environments.associations import Associations
from symla.environments.bandits import DependentBandit, IndependentBandit
from symla.environments.base import Environment
from symla.environments.continuous_control import LinearSystem, PointNavigation
from symla.environments.control import Balance, Control
from symla.environments.grid_worlds import Hearts, Target
from symla.environments.gymnax_adapter import Gymnax
from symla.environments.transforms import MoreActions, Permuted, Projected, Rewards

ENVIRONMENTS: dict[str, Environment] = {
    "bandit-uniform-independent": IndependentBandit(2),
    "bandit-uniform-dependent": DependentBandit(),
    "bandit-easy": DependentBandit(0.1),
    "bandit-medium": DependentBandit(0.25),
    "bandit-hard": DependentBandit(0.4),
    "associations": Associations(),
    "cartpole": Control("CartPole-v1"),
    "acrobot": Control("Acrobot-v1"),
    "mountain-car": Control("MountainCar-v0"),
    "mountain-car-continuous": Control("MountainCarContinuous-v0"),
    "pendulum": Control("Pendulum-v1"),
    "point-navigation": PointNavigation(),
    "linear-system": LinearSystem(),
    "balance": Balance(),
    "hearts": Hearts(),
    "hearts-2x2": Hearts(size=2, episode_length=10),
    "target": Target(),
}


def _arms(text: str) -> Environment:
    if not re.fullmatch(r"-?[0-9]{1,6}", text):
        raise SettingError(f"bandit-arms-K needs a whole number of at least 2 for K, got {text!r}")
    return IndependentBandit(int(text))


# By prefix: what follows it, an example of that, and a function from it to the environment.
FAMILIES: dict[str, tuple[str, str, Callable[[str], Environment]]] = {
    "bandit-arms-": ("K", "5", _arms),
    "gymnax:": ("ID", "CartPole-v1", Gymnax),
}


def make(name: str) -> Environment:
    """The environment of that name, one of ENVIRONMENTS or FAMILIES.

    Raises UnknownNameError, with the nearest names, for an unknown one, and SettingError for one
    that is not in JAX or whose settings are out of range.
    """
    if name in ENVIRONMENTS:
        return ENVIRONMENTS[name]
    for prefix, (_, _, build) in FAMILIES.items():
        if name.startswith(prefix):
            return build(name.removeprefix(prefix))
    if name.startswith("gymnasium:"):
        raise SettingError(f"{name} is not in JAX: it is for `symla test` and agents, not training")
    families = [prefix + rest for prefix, (rest, _, _) in FAMILIES.items()]
    raise UnknownNameError("environment", name, [*ENVIRONMENTS, *families])


def name_of(environment: Environment) -> str | None:
    """The name from which `make` makes it; None if there is none."""
    if isinstance(environment, IndependentBandit):
        return f"bandit-arms-{environment.arms}"
    if isinstance(environment, Gymnax):
        return f"gymnax:{environment.name}"
    return next((name for name, known in ENVIRONMENTS.items() if known == environment), None)


# Every class of environments, by the name under which a run folder keeps its settings.
ENVIRONMENT_CLASSES: dict[str, type[Environment]] = {
    kind.__name__: kind
    for kind in (
        Associations, Balance, Control, DependentBandit, Gymnax, Hearts, IndependentBandit,
        LinearSystem, MoreActions, Permuted, PointNavigation, Projected, Rewards, Target,
    )
}  # fmt: skip

for kind in ENVIRONMENT_CLASSES.values():  # also for those who step one by hand
    methods_in_float32(kind, "sample_task", "reset", "step", "regret")
