"""Settings to JSON and back: frozen dataclasses, checked against the types of their fields."""

import ast
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from symla.core.errors import CheckpointError, SettingError
from symla.core.naming import load_module
from symla.core.settings import fits


def describe(value: Any, classes: Mapping[str, type]) -> Any:
    """A frozen dataclass as JSON: its fields, and the name of its class where that has one.

    The class of a person's own is named "package.module:Class". Dataclasses and tuples inside are
    described likewise. A field whose metadata have "stored": False is left out.
    """
    if isinstance(value, tuple):
        return [describe(part, classes) for part in value]
    if not is_dataclass(value):
        return value
    kind = type(value)
    names = [name for name, known in classes.items() if known is kind]
    if not names and kind.__module__.partition(".")[0] != "symla":
        names = [f"{kind.__module__}:{kind.__qualname__}"]
    stored = (field for field in fields(value) if field.metadata.get("stored", True))
    own = {field.name: describe(getattr(value, field.name), classes) for field in stored}
    return {"class": names[0], **own} if names else own


def rebuild(description: Any, classes: Mapping[str, type], where: Path) -> Any:
    """The frozen dataclass that `describe` wrote. Raises CheckpointError if it cannot be."""
    name = description.get("class") if isinstance(description, dict) else None
    if isinstance(name, str) and name not in classes and ":" in name:
        kind = _own_class(name, where)
    elif not isinstance(name, str) or name not in classes:
        raise CheckpointError(
            f"{where} needs {name!r}, which this version of symla does not know: "
            f"known are {', '.join(classes)}"
        )
    else:
        kind = classes[name]
    settings = {key: value for key, value in description.items() if key != "class"}
    return from_settings(kind, settings, where, classes)


def rewritten(text: str, classes: Mapping[str, type]) -> str:
    """What the `repr` of dataclasses of an earlier version, "A(x=1), B(a=A(x=2))", would be in this
    one: fields that came since have their default. What is not of that form stays as it is."""
    kinds = {kind.__name__: kind for kind in classes.values()}

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Tuple):
            return tuple(map(value, node.elts))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
            settings = {each.arg: value(each.value) for each in node.keywords if each.arg}
            return kinds[node.func.id](**settings)
        return ast.literal_eval(node)

    try:
        found = value(ast.parse(f"({text},)", mode="eval").body)
        return ", ".join(map(repr, found))
    except (KeyError, SettingError, SyntaxError, TypeError, ValueError):
        return text


def _own_class(name: str, where: Path) -> type:
    """The class that a person wrote, by "package.module:Class"."""
    module, _, path = name.partition(":")
    try:
        found: Any = load_module(module, name)
        for part in path.split("."):
            found = getattr(found, part)
    except SettingError as error:
        raise CheckpointError(f"{where} needs the class {error}") from error
    except AttributeError as error:
        script = " (it was defined in a script: run that again)" if module == "__main__" else ""
        raise CheckpointError(f"{where} needs the class {name}: {error}{script}") from error
    if not (isinstance(found, type) and is_dataclass(found)):
        raise CheckpointError(f"{where} needs the class {name}, which is no dataclass here")
    return found


def from_settings(
    kind: type, settings: Any, where: Path, classes: Mapping[str, type] = MappingProxyType({})
) -> Any:
    """A dataclass of settings, nested ones too, from what `describe` made of it and JSON kept.

    Where a field may hold one of several classes, `classes` has them by name. Raises
    CheckpointError for settings this version does not know.
    """
    types = get_type_hints(kind)

    def inside(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(map(inside, value))
        return rebuild(value, classes, where) if _is_described(value) else value

    def build(name: str, value: Any) -> Any:
        hint = types[name]
        if isinstance(hint, type) and is_dataclass(hint):
            return from_settings(hint, value, where, classes)
        found = inside(value)
        if not fits(found, hint):
            raise TypeError(f"{name} cannot be {value!r}")
        return found

    try:
        unknown = settings.keys() - types.keys()
        if unknown:
            raise TypeError(f"unknown settings {sorted(unknown)}")
        return kind(**{name: build(name, value) for name, value in settings.items()})
    except (AttributeError, TypeError, ValueError, SettingError) as error:
        raise CheckpointError(
            f"{where} holds settings that this version of symla does not know: {error}"
        ) from error


def _is_described(value: Any) -> bool:
    return isinstance(value, dict) and "class" in value


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
