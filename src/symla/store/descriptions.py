"""Settings to JSON and back: frozen dataclasses, checked against the types of their fields."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from symla.core.errors import CheckpointError, SettingError


def describe(value: Any, classes: Mapping[str, type]) -> dict[str, Any]:
    """A frozen dataclass as JSON: the name a person types, and its fields."""
    name = next(name for name, kind in classes.items() if kind is type(value))
    return {"name": name, **asdict(value)}


def rebuild(description: Any, classes: Mapping[str, type], where: Path) -> Any:
    """The frozen dataclass that `describe` wrote. Raises CheckpointError if it cannot be."""
    name = description.get("name") if isinstance(description, dict) else None
    if not isinstance(name, str) or name not in classes:
        raise CheckpointError(
            f"{where} needs {name!r}, which this version of symla does not know: "
            f"known are {', '.join(classes)}"
        )
    settings = {field: value for field, value in description.items() if field != "name"}
    return from_settings(classes[name], settings, where)


def fits(value: Any, hint: Any) -> bool:
    """Whether what JSON holds is of that type; a list for a tuple, a whole number for a float."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, list | tuple) and all(fits(x, get_args(hint)[0]) for x in value)
    if get_args(hint):  # a union
        return any(fits(value, option) for option in get_args(hint))
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, int | float if hint is float else hint)


def from_settings(kind: type, settings: Any, where: Path) -> Any:
    """A dataclass of settings, nested ones too, from what `asdict` made of it and JSON kept.

    Raises CheckpointError for settings this version does not know.
    """
    types = get_type_hints(kind)
    try:
        unknown = settings.keys() - types.keys()
        if unknown:
            raise TypeError(f"unknown settings {sorted(unknown)}")
        for name, value in settings.items():
            if not is_dataclass(types[name]) and not fits(value, types[name]):
                raise TypeError(f"{name} cannot be {value!r}")
        values = {
            name: from_settings(types[name], value, where)
            if is_dataclass(types[name])
            else tuple(value)
            if isinstance(value, list)
            else value
            for name, value in settings.items()
        }
        return kind(**values)
    except (AttributeError, TypeError, SettingError) as error:
        raise CheckpointError(
            f"{where} holds settings that this version of symla does not know: {error}"
        ) from error


def differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What two nested settings do not share, in words: "search.sigma: 0.4 -> 0.2"."""
    found = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{prefix}{key}.")
        elif _plain(old) != _plain(new):
            found.append(f"{prefix}{key}: {old} -> {new}")
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
