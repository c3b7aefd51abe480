"""Makes copies of an environment of Gymnasium, in the process that will run them."""

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import gymnasium
from gymnasium.envs.registration import EnvCreator, EnvSpec, load_env_creator

from symla.bridge.gymnasium_environment import registered_spec
from symla.bridge.refusals import unflattened, unsupported
from symla.core.errors import SettingError, raised, require
from symla.core.naming import find_object, load_module
from symla.core.settings import check_known

# What a person may set beside the keyword arguments of the environment's class.
OTHER_SETTINGS = ("max_episode_steps", "disable_env_checker", "wrappers", "flatten")


class Request(NamedTuple):
    """What the environments are made from."""

    name: str  # for messages
    source: bytes | None  # an EnvSpec or an environment, pickled; None: look `id` up
    id: str
    module: str | None  # imported first
    settings: dict[str, Any]
    copies: int
    spin: bool = False  # whether its process may wait for the next step without sleeping


def copies(request: Request, begin: Callable[[int], None]) -> list[gymnasium.Env]:
    """`request.copies` environments; calls `begin` with the number of each before it is made.

    Raises SettingError and UnknownNameError for what a person named wrongly, and whatever the
    environment raises.
    """
    settings = {"disable_env_checker": True} | request.settings
    names = str(settings.pop("wrappers", "") or "").split("+")
    wrappers = [find_object(name.strip(), "wrapper") for name in names if name.strip()]
    flatten = settings.pop("flatten", False)
    require(isinstance(flatten, bool), f"flatten must be true or false, got {flatten!r}")
    if request.module:
        load_module(request.module, request.name)
    made: list[gymnasium.Env] = []
    for index in range(request.copies):
        begin(index)
        env = _made(request, settings)
        for wrapper in wrappers:
            env = wrapper(env)
        if flatten:
            if unflattened(env.observation_space):
                why = unsupported(env.observation_space, request.name)
                raise SettingError(f"{request.name}: {why}")
            env = gymnasium.wrappers.FlattenObservation(env)
        made.append(env)
    return made


def _made(request: Request, settings: dict[str, Any]) -> gymnasium.Env:
    source = _unpickled(request) if request.source else registered_spec(request.id, request.name)
    if not isinstance(source, EnvSpec):  # an environment, of which each copy is unpickled anew
        if len(settings) > 1:
            raise SettingError(f"{request.name} is made already: it takes no settings")
        return source
    creator = source.entry_point
    if isinstance(creator, str):
        creator = cast(EnvCreator, load_env_creator(creator))  # not of a vector
    if creator is not None:
        name = request.name.partition(",")[0]
        check_known(creator, {**source.kwargs, **settings}, name, OTHER_SETTINGS)
    return gymnasium.make(source, **settings)


def _unpickled(request: Request) -> Any:
    try:
        return pickle.loads(request.source or b"")
    except ModuleNotFoundError:  # which says what is missing
        raise
    except Exception as error:
        raise SettingError(
            f"{request.name} cannot be copied to another process: there it {raised(error)}. Hand "
            "over a function that makes it, lambda: ..., in its place"
        ) from error
