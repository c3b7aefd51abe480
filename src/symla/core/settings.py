"""Settings of a class or function: known, of the right type, and given to it. Imports no jax."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from operator import index
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from symla.core.errors import SettingError, SymlaError, UnknownNameError, raised

T = TypeVar("T")


def whole(value: Any, name: str) -> int:
    """It as an int, from any type of whole numbers. Raises SettingError for another."""
    try:
        return index(value)
    except TypeError as error:
        raise SettingError(f"{name} must be a whole number, got {value!r}") from error


def fits(value: Any, hint: Any) -> bool:
    """Whether what JSON holds, or a person typed, is of that type; where that is a tuple a list is,
    where a float, a whole number. What cannot be told is taken to be."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind is Any:
        return True
    if kind is Literal:
        return value in parts
    if kind in (Union, UnionType):
        return any(fits(value, option) for option in parts)
    if kind is tuple and parts:
        if not isinstance(value, list | tuple):
            return False
        each = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return len(value) == len(each) and all(map(fits, value, each))
    if not isinstance(kind, type):
        return True
    if isinstance(value, bool):
        return kind in (bool, object)
    return isinstance(value, int | float if kind is float else kind)


def construct(kind: Callable[..., T], settings: Mapping[str, Any], name: str) -> T:
    """`kind(**settings)`, of a class or function that a person calls `name`.

    Whole numbers and lists become what the types of its parameters want, floats and tuples. Raises
    UnknownNameError for a setting that it does not have, SettingError for one that is missing or of
    another type, and for what it raises.
    """
    check_known(kind, settings, name)
    typed = _typed(kind, settings, name)
    try:
        return kind(**typed)
    except SymlaError:
        raise
    except Exception as error:
        raise SettingError(f"{name} cannot be made: it {raised(error)}") from error


def with_settings(thing: T, settings: Mapping[str, Any], name: str) -> T:
    """The same dataclass with other fields; "optimizer.clip" is a field of its field `optimizer`.
    Raises as `construct` does."""
    if not settings:
        return thing
    inner = {key.partition(".")[0] for key in settings if "." in key}
    for field_name in inner:
        within = {
            key.partition(".")[2]: value
            for key, value in settings.items()
            if key.startswith(f"{field_name}.")
        }
        if not is_dataclass(getattr(thing, field_name, None)):
            raise SettingError(f"{name} has no {field_name} with settings of its own")
        changed = with_settings(getattr(thing, field_name), within, f"{name},{field_name}")
        settings = {k: v for k, v in settings.items() if not k.startswith(f"{field_name}.")}
        settings = {**settings, field_name: changed}
    if not is_dataclass(thing) or isinstance(thing, type):
        raise SettingError(f"{name} has no settings: it is no dataclass")
    own = {field.name: getattr(thing, field.name) for field in fields(thing) if field.init}
    check_known(type(thing), own | dict(settings), name)
    typed = _typed(type(thing), settings, name)
    return construct(lambda: replace(thing, **typed), {}, name)


def check_known(
    kind: Callable[..., Any], settings: Mapping[str, Any], name: str, others: tuple[str, ...] = ()
) -> None:
    """Whether `kind` can be called with settings of these names. `others` are somebody else's.

    Raises UnknownNameError, with the nearest ones, or SettingError for one that is missing.
    """
    try:
        parameters = inspect.signature(kind).parameters
    except (TypeError, ValueError):  # of some that are written in C
        return
    named = [p for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known = [*(p.name for p in named), *others]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for key in settings:
            if key not in known:
                raise UnknownNameError(f"setting of {name}", key, known)
    missing = [p.name for p in named if p.default is p.empty and p.name not in settings]
    if missing:
        raise SettingError(f"{name} needs {' and '.join(missing)}: {name},{missing[0]}=VALUE")


def _typed(kind: Any, settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    hints = _hints(kind)
    for key, given in settings.items():
        with suppress(TypeError):  # of types that know no isinstance
            if not fits(given, hints.get(key, Any)):
                wanted = getattr(hints[key], "__name__", str(hints[key]).replace("typing.", ""))
                raise SettingError(f"{key} of {name} must be of type {wanted}, got {given!r}")
    return {key: _converted(given, hints.get(key)) for key, given in settings.items()}


def _hints(kind: Any) -> dict[str, Any]:
    """The types of its parameters, as far as they can be known."""
    try:
        return get_type_hints(kind.__init__ if inspect.isclass(kind) else kind)
    except Exception:  # some names are there for type checkers only
        return {}


def _converted(value: Any, hint: Any) -> Any:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if type(value) is int and float in options and int not in options:
        return float(value)
    if isinstance(value, list) and any(get_origin(x) is tuple for x in options):
        return tuple(value)
    return value
