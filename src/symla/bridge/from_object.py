"""From what a person has in Python, of Gymnasium, to a `GymnasiumEnvironment`."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, replace
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from symla.bridge.gymnasium_environment import GymnasiumEnvironment, spelled
from symla.bridge.pickling import can_import, portable
from symla.bridge.refusals import libraries, other_library
from symla.core.errors import SettingError

DUCK = ("observation_space", "action_space", "reset", "step")  # what is used of an environment


def from_object(
    what: Any, time_limit: float = 60.0, settings: Mapping[str, Any] | None = None
) -> GymnasiumEnvironment:
    """From an EnvSpec, a gymnasium.Env class, a function that makes one, or an environment.

    An environment is made again from its spec, or copied as it is if it has none. Raises
    SettingError for anything else, FaultyEnvironmentError for what cannot be pickled.
    """
    typed = spelled(settings or {})
    check_kind(what)
    if isinstance(what, EnvSpec):
        return _from_spec(what, time_limit, typed)
    if isinstance(what, type) or (callable(what) and not isinstance(what, gymnasium.Env)):
        return _from_maker(what, time_limit, typed)
    lacks = [name for name in DUCK if not hasattr(what, name)]
    if lacks:
        raise SettingError(
            "an environment is a name (`symla list`), an object of symla, or of Gymnasium an Env, "
            f"its class or its spec, or a function that makes one; got {what!r:.100}"
        )
    spec = _whole_spec(what)
    if spec is not None:
        return _from_spec(spec, time_limit, typed)
    name = type(getattr(what, "unwrapped", what)).__name__
    return GymnasiumEnvironment(name, time_limit, typed, False, portable(what, name))


def check_kind(what: Any) -> None:
    """Raises SettingError for an environment of another library, and for many in one object."""
    inner = what[0] if isinstance(what, tuple) and what else what
    if libraries(inner) & {"gym", "gymnax"}:
        name = getattr(inner, "__name__", type(inner).__name__)
        raise SettingError(f"{name}: {other_library(inner)}")
    if hasattr(what, "num_envs") and not isinstance(what, gymnasium.Env):
        spec = getattr(what, "spec", None)
        name = repr(f"gymnasium:{spec.id if isinstance(spec, EnvSpec) else 'ID'}")
        raise SettingError(
            f"{type(what).__name__} holds several environments: name one, and as many as there are "
            f"lifetimes will be made, symla.meta_test(rule, {name}, lifetimes={what.num_envs})"
        )


def _from_maker(
    what: Any, time_limit: float, settings: tuple[tuple[str, str], ...]
) -> GymnasiumEnvironment:
    """From a class or function, by its name if a new process can import that."""
    inner = getattr(what, "func", what)  # of functools.partial
    name = re.sub(r"\W", "", getattr(inner, "__name__", type(inner).__name__))
    if isinstance(what, type) and not issubclass(what, gymnasium.Env):
        raise SettingError(f"{name} is no environment: it does not inherit from gymnasium.Env")
    path = f"{what.__module__}:{name}" if what is inner else ""
    if path and getattr(what, "__qualname__", "") == name and can_import(what.__module__):
        return GymnasiumEnvironment(path, time_limit, settings, registered=False)
    source = portable(EnvSpec(name, entry_point=what), name)
    return GymnasiumEnvironment(name, time_limit, settings, False, source)


def _from_spec(
    spec: EnvSpec, time_limit: float, settings: tuple[tuple[str, str], ...]
) -> GymnasiumEnvironment:
    """By its id, if that and settings that can be typed are all there is to it."""
    known = gymnasium.registry.get(spec.id)
    if known and known.kwargs.keys() <= spec.kwargs.keys():
        with suppress(ValueError):  # one of its settings has no text, or cannot be compared
            own = {k: x for k, x in spec.kwargs.items() if known.kwargs.get(k, MISSING) != x}
            limit = spec.max_episode_steps
            if limit != known.max_episode_steps:
                own["max_episode_steps"] = limit or -1  # Gymnasium's word for none
            if replace(known, kwargs=spec.kwargs, max_episode_steps=limit) == spec:
                typed = dict(spelled(own)) | dict(settings)
                return GymnasiumEnvironment(spec.id, time_limit, tuple(typed.items()))
    return GymnasiumEnvironment(spec.id, time_limit, settings, False, portable(spec, spec.id))


def _whole_spec(environment: Any) -> EnvSpec | None:
    """From which it can be made again in a new process; None if it has none."""
    try:
        spec = environment.spec
    except Exception:  # Gymnasium copies it, which some settings do not survive
        return None
    wrappers = getattr(spec, "additional_wrappers", ())
    whole = all(w.kwargs is not None and can_import(w.entry_point.split(":")[0]) for w in wrappers)
    return spec if isinstance(spec, EnvSpec) and whole else None
