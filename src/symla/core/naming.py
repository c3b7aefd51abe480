"""Names as a person types them: NAME,setting=value,... and package.module:OBJECT.

Imports no jax, so that the command line and the processes of environments can use it.
"""

import ast
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib import import_module
from types import ModuleType
from typing import Any

from symla.core.errors import SettingError, SymlaError, UnknownNameError, raised

GUARD = 'what it does as a script belongs under `if __name__ == "__main__":`'
WORDS = {"true": True, "false": False, "none": None, "null": None}


def parse(typed: str) -> tuple[str, dict[str, Any]]:
    """The name, and its settings by name: "hearts,size=4" is ("hearts", {"size": 4}).

    A value is a literal of Python, one of true, false, none and null, or else a text; commas
    within brackets and quotes belong to it. Raises SettingError for what is no setting.
    """
    name, *parts = _split(typed)
    settings: dict[str, Any] = {}
    for part in parts:
        key, equals, text = part.partition("=")
        key = key.strip()
        if not (equals and all(word.isidentifier() for word in key.split("."))):
            raise SettingError(
                f"{part!r} in {typed!r} is no setting: after the name come settings such as "
                "size=4, each after a comma"
            )
        if key in settings:
            raise SettingError(f"{key} is set twice in {typed!r}")
        settings[key] = value(text)
    return name.strip(), settings


def spell(name: str, settings: Mapping[str, Any]) -> str:
    """What `parse` reads as that name and those settings. Raises SettingError if nothing does."""
    return ",".join([name, *(f"{key}={spell_value(key, x)}" for key, x in settings.items())])


def value(text: str) -> Any:
    """What the text of a setting stands for."""
    text = text.strip()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def spell_value(key: str, thing: Any) -> str:
    """The text from which `value` makes `thing`. Raises SettingError if there is none."""
    is_word = thing is None or isinstance(thing, bool)
    for text in (str(thing).lower() if is_word else thing, repr(thing)):
        alone = isinstance(text, str) and _split(f"={text},") == [f"={text}", ""]
        if alone and _same(value(text), thing):
            return text
    raise SettingError(
        f"{key}={thing!r} cannot be part of a name: settings are numbers, texts, true, false, "
        "none, and lists and dicts of them"
    )


def _same(one: Any, other: Any) -> bool:
    """Equal, and of one type: 1 is not 1.0, nor is it true."""
    return repr(one) == repr(other)


def _split(text: str) -> list[str]:
    """At commas outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and (depth or parts[-1].endswith("=")):
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth <= 0:
            parts.append("")
            continue
        parts[-1] += letter
    return parts


def find_object(name: str, kind: str) -> Any:
    """What "package.module:OBJECT" names; `kind` is what it should be, in messages.

    Raises SettingError for another form, and if the module cannot be imported; UnknownNameError if
    it has no such object.
    """
    module_name, colon, path = name.partition(":")
    if not colon:
        raise SettingError(f"{name!r} names no {kind}: it has the form package.module:NAME")
    found: Any = load_module(module_name, name)
    try:
        for part in path.split("."):
            found = getattr(found, part)
    except AttributeError:
        here = vars(sys.modules[module_name]).items()
        own = [key for key, x in here if getattr(x, "__module__", None) == module_name]
        classes = [key for key in own if not key.startswith("_")]
        raise UnknownNameError(f"{kind} in {module_name}", path, classes) from None
    return found


def load_module(module: str, name: str) -> ModuleType:
    """Import a person's module, from the current folder too; `name` is what needs it, in messages.

    What it prints goes to stderr, and it sees no arguments of the command line. Raises SettingError
    for one that is not found, that raises, or that ends the program.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # where a person's own module usually is
    arguments, sys.argv = sys.argv, [module]
    try:
        with redirect_stdout(sys.stderr):  # stdout is for results
            return import_module(module)
    except ModuleNotFoundError as error:
        itself = error.name is None or f"{module}.".startswith(f"{error.name}.")
        needed = "" if itself else f", which {module!r} imports"
        raise SettingError(
            f"{name}: {error}{needed}: install it, or run where it can be imported, in its folder "
            "or with PYTHONPATH"
        ) from error
    except SystemExit as error:
        raise SettingError(
            f"{name}: importing {module!r} ended the program (exit code {error.code}): {GUARD}"
        ) from error
    except SymlaError:
        raise
    except Exception as error:
        raise SettingError(f"{name}: importing {module!r} {raised(error)}") from error
    finally:
        sys.argv = arguments
