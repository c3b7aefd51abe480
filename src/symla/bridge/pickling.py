"""What a person has, pickled so that a new process can unpickle it.

Classes and functions of a module that a new process cannot import, a script or a test file say, go
by value: their code itself is in the pickle.
"""

import pickle
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import cloudpickle
from gymnasium.envs.registration import EnvCreator, EnvSpec, load_env_creator

from symla.core.errors import FaultyEnvironmentError, is_own_file


def portable(thing: Any, name: str) -> bytes:
    """`thing`, pickled. Raises FaultyEnvironmentError if it cannot be; `name` is for messages."""
    thing = _with_creator(thing) if isinstance(thing, EnvSpec) else thing
    try:
        with ExitStack() as after:
            for module in _own_modules():
                cloudpickle.register_pickle_by_value(module)
                after.callback(cloudpickle.unregister_pickle_by_value, module)
            return cloudpickle.dumps(thing)
    except (TypeError, AttributeError, ValueError, RuntimeError, pickle.PicklingError) as error:
        raise FaultyEnvironmentError(
            f"{name} cannot be pickled for another process ({error}): put it in a module that "
            "registers it, and name it gymnasium:MODULE:ID, or hand over a function that makes it"
        ) from error


def _own_modules() -> Iterator[ModuleType]:
    """Those of a person that a new process could not import."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and is_own_file(file) and name != "__main__" and not can_import(name):
            yield module  # __main__ goes by value in any case


def can_import(module: str) -> bool:
    """Whether a new interpreter with our sys.path would import the same file by that name."""
    if module == "__main__":
        return False
    path, found = None, None
    for name in accumulate(module.split("."), "{}.{}".format):
        finders = (f.find_spec(name, path) for f in sys.meta_path if hasattr(f, "find_spec"))
        found = next((spec for spec in finders if spec), None)
        if found is None:
            return False
        path = found.submodule_search_locations
    loaded = getattr(sys.modules.get(module), "__file__", None)
    theirs = found.origin if found else None
    return not (loaded and theirs) or Path(loaded).resolve() == Path(theirs).resolve()


def _with_creator(spec: EnvSpec) -> EnvSpec:
    """With the class or function itself where a new process could not import it by its name."""
    if not isinstance(spec.entry_point, str):
        return spec
    module = spec.entry_point.partition(":")[0]
    if module not in sys.modules or can_import(module):
        return spec
    creator = cast(EnvCreator, load_env_creator(spec.entry_point))  # not of a vector
    return replace(spec, entry_point=creator)
