"""From whatever a person gives to an environment that lifetimes can be lived in."""

from dataclasses import replace
from inspect import isfunction
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from symla.bridge.from_object import check_kind, from_object
from symla.bridge.gymnasium_environment import PREFIX, GymnasiumEnvironment, spelled
from symla.core.naming import find_object, parse
from symla.environments import registry
from symla.environments.base import Environment
from symla.environments.registry import FAMILIES, METHODS, from_class, lacking


def make(
    what: Any, time_limit: float = 60.0, /, **settings: Any
) -> Environment | GymnasiumEnvironment:
    """The environment behind a name, an object, a class, or a function that makes one.

        symla.make("hearts", size=4)                                  # or "hearts,size=4"
        symla.make("gymnasium:FrozenLake-v1", is_slippery=False)
        symla.make("my_package.worlds:Corridor", cells=9)             # of symla or of Gymnasium

    Names are those of `symla list`. Objects are environments in JAX, and of Gymnasium an Env, its
    class or spec, or a function without arguments. One of Gymnasium is made in processes of its
    own, where a call may take `time_limit` seconds. Raises UnknownNameError, with the nearest
    names, SettingError and FaultyEnvironmentError for what cannot be made.
    """
    if isinstance(what, str):
        return _named(what, time_limit, settings)
    if isinstance(what, GymnasiumEnvironment):
        typed = dict(what.settings) | dict(spelled(settings))
        return replace(what, settings=tuple(typed.items()))
    if not lacking(what) or _was_meant_as_ours(what):
        return from_class(what, settings, getattr(what, "__name__", type(what).__name__))
    return from_object(what, time_limit, settings)


def _was_meant_as_ours(what: Any) -> bool:
    """Whether it has some parts of an environment in JAX, and nothing of one of Gymnasium."""
    foreign = any("_space" in name for name in dir(what))
    return not foreign and len(lacking(what)) < len(METHODS)


def _named(
    name: str, time_limit: float, settings: dict[str, Any]
) -> Environment | GymnasiumEnvironment:
    base, typed = parse(name)
    if base.startswith(PREFIX):
        return GymnasiumEnvironment.named(name, time_limit, settings)
    if ":" not in base or base.startswith(tuple(FAMILIES)):
        return registry.make(name, **settings)
    found = find_object(base, "environment")
    check_kind(found)
    if (isinstance(found, type) and issubclass(found, gymnasium.Env)) or isfunction(found):
        return GymnasiumEnvironment.named(name, time_limit, settings)
    if isinstance(found, gymnasium.Env | EnvSpec):
        return from_object(found, time_limit, typed | settings)
    return from_class(found, typed | settings, base)
