"""The environments that have a name, and the prefixes that make one from the rest of a name."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any

from symla.core.errors import SettingError, UnknownNameError, defined_at, require
from symla.core.naming import find_object, parse, spell
from symla.core.precision import methods_in_float32
from symla.core.settings import construct, with_settings
from symla.environments.associations import Associations
from symla.environments.bandits import BiasedBandit, DependentBandit, IndependentBandit
from symla.environments.base import LARGEST_SPEC, Environment
from symla.environments.continuous_control import LinearSystem, PointNavigation
from symla.environments.control import Balance, Control
from symla.environments.grid_worlds import Hearts, Target
from symla.environments.gymnax_adapter import Gymnax
from symla.environments.motion import Arm, DoubleIntegrator, Unicycle
from symla.environments.object_grids import DelayedChain, ObjectGrids
from symla.environments.padding import Padded
from symla.environments.random_tasks import RandomTasks
from symla.environments.transforms import MoreActions, Permuted, Projected, Rewards

METHODS = ("spec", "sample_task", "reset", "step")  # of an environment

ENVIRONMENTS: dict[str, Environment] = {
    "bandit-uniform-independent": IndependentBandit(2),
    "bandit-uniform-dependent": DependentBandit(),
    "bandit-easy": DependentBandit(0.1),
    "bandit-medium": DependentBandit(0.25),
    "bandit-hard": DependentBandit(0.4),
    "bandit-biased": BiasedBandit(),
    "associations": Associations(),
    "cartpole": Control("CartPole-v1"),
    "acrobot": Control("Acrobot-v1"),
    "mountain-car": Control("MountainCar-v0"),
    "mountain-car-continuous": Control("MountainCarContinuous-v0"),
    "pendulum": Control("Pendulum-v1"),
    "point-navigation": PointNavigation(),
    "linear-system": LinearSystem(),
    "double-integrator": DoubleIntegrator(),
    "arm": Arm(),
    "unicycle": Unicycle(),
    "balance": Balance(),
    "hearts": Hearts(),
    "hearts-2x2": Hearts(size=2, episode_length=10),
    "target": Target(),
    "random-grids": ObjectGrids(),
    "delayed-chain": DelayedChain(),
    "random-tasks": RandomTasks(),
}


def _arms(text: str, **settings: Any) -> Environment:
    if not re.fullmatch(r"-?[0-9]{1,4000}", text):
        raise SettingError(f"bandit-arms-K needs a whole number of at least 2 for K, got {text!r}")
    return with_settings(IndependentBandit(int(text)), settings, f"bandit-arms-{text}")


def _gymnax(text: str, **settings: Any) -> Environment:
    hashable = {key: tuple(x) if isinstance(x, list) else x for key, x in settings.items()}
    return Gymnax(text, tuple(hashable.items()))


# By prefix: what follows it, an example of that, and a function from it, and settings, to the
# environment.
FAMILIES: dict[str, tuple[str, str, Callable[..., Environment]]] = {
    "bandit-arms-": ("K", "5", _arms),
    "gymnax:": ("ID", "CartPole-v1", _gymnax),
}


def make(name: str, /, **settings: Any) -> Environment:
    """The environment of that name, one of ENVIRONMENTS or FAMILIES, or package.module:CLASS.

    Settings, here or in the name after commas ("hearts,size=4"), replace those of the environment.
    Raises UnknownNameError, with the nearest names, for an unknown name or setting, and
    SettingError for one that is not in JAX or whose settings are out of range.
    """
    base, typed = parse(name)
    settings = typed | settings
    if base in ENVIRONMENTS:
        return _of_a_size(with_settings(ENVIRONMENTS[base], settings, base), name)
    for prefix, (_, _, build) in FAMILIES.items():
        if base.startswith(prefix):
            return _of_a_size(build(base.removeprefix(prefix), **settings), name)
    if base.startswith("gymnasium:"):
        raise SettingError(f"{name} is not in JAX: `symla.make` makes it, for processes of its own")
    if ":" in base:
        return from_class(find_object(base, "environment"), settings, base)
    families = [prefix + rest for prefix, (rest, _, _) in FAMILIES.items()]
    hint = ", or package.module:CLASS for one of your own"
    raise UnknownNameError("environment", base, [*ENVIRONMENTS, *families], hint)


def _of_a_size(environment: Environment, name: str) -> Environment:
    """It. Raises SettingError if it is too large for whatever could be done with it."""
    spec = environment.spec
    for what, size in (("inputs", spec.observation_size), ("actions", spec.action_size)):
        require(
            size <= LARGEST_SPEC,
            f"{name} has {size:,} {what}: at most {LARGEST_SPEC:,} are possible",
        )
    return environment


def from_class(kind: Any, settings: Mapping[str, Any], name: str) -> Environment:
    """An environment of a person's own class, or the object itself if it is one already.

    Raises SettingError for what is no environment.
    """
    if lacking(kind):
        is_class = isinstance(kind, type)
        place = defined_at(kind if is_class else type(kind))
        what = "class" if is_class else type(kind).__name__
        raise SettingError(
            f"{name}{f' ({place})' if place else ''} is no environment: the {what} lacks "
            f"{_lacks(kind)}. One of symla has {', '.join(METHODS)} (docs/extending.md), one of "
            "Gymnasium inherits from gymnasium.Env"
        )
    if isinstance(kind, type):
        return construct(kind, settings, name)
    return with_settings(kind, settings, name)


def lacking(thing: Any) -> list[str]:
    """Which parts of an environment a class or an object does not have."""
    return [name for name in METHODS if name not in dir(thing)]  # a property may raise


def _lacks(thing: Any) -> str:
    """The same in words, with what is spelt almost so: "sample_task (it has sample_tasks)"."""
    near = {name: get_close_matches(name, dir(thing), n=1, cutoff=0.75) for name in lacking(thing)}
    return ", ".join(f"{name} (it has {x[0]})" if x else name for name, x in near.items())


def name_of(environment: Environment) -> str | None:
    """The name from which `make` makes it; None if there is none."""
    if type(environment) is IndependentBandit:
        return f"bandit-arms-{environment.arms}"
    if isinstance(environment, Gymnax):
        return spell(f"gymnax:{environment.name}", dict(environment.settings))
    if not is_dataclass(environment):
        return None
    kind = type(environment)
    bases: dict[str, Any] = {name: x for name, x in ENVIRONMENTS.items() if type(x) is kind}
    own = f"{kind.__module__}:{kind.__qualname__}"
    if kind not in ENVIRONMENT_CLASSES.values() and not ("<" in own or "__main__" in own):
        bases = {own: kind}  # whose defaults it has
    changes = {
        name: {
            field.name: getattr(environment, field.name)
            for field in fields(environment)
            if getattr(base, field.name, MISSING) != getattr(environment, field.name)
        }
        for name, base in bases.items()
    }
    try:
        name = min(changes, key=lambda name: len(changes[name]))
        return spell(name, changes[name])
    except ValueError:  # nothing to begin with, or a setting that cannot be typed
        return None


# Every class of environments, by the name under which a run folder keeps its settings.
ENVIRONMENT_CLASSES: dict[str, type[Environment]] = {
    kind.__name__: kind
    for kind in (
        Arm, Associations, Balance, BiasedBandit, Control, DelayedChain, DependentBandit,
        DoubleIntegrator, Gymnax, Hearts, IndependentBandit, LinearSystem, MoreActions, ObjectGrids,
        Padded, Permuted, PointNavigation, Projected, RandomTasks, Rewards, Target, Unicycle,
    )
}  # fmt: skip

for kind in ENVIRONMENT_CLASSES.values():  # also for those who step one by hand
    methods_in_float32(kind, "sample_task", "reset", "step", "regret", "advice")
