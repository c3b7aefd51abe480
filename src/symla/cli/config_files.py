"""Options in a TOML file: `symla train --config FILE` reads one, every run folder holds one.

Each key is an option without its dashes, in any table; `experiment` or `environments` is what
stands first on the command line. `[[stages]]` are trainings one after the other, each from the
rule of the one before, with options of their own.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from symla.core.errors import SettingError

FIRST = ("experiment", "environments")  # what is trained, or trained on
NEVER = ("config", "run_dir", "saving", "machine")  # on another machine these are others


def read(path: Path) -> dict[str, Any]:
    """The options of a file, tables laid flat. Raises SettingError if it cannot be read."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} is no TOML file: {error}") from error
    return dict(_flat(content, path))


def _flat(table: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        key = key.replace("-", "_")
        if key == "stages":
            if not (isinstance(value, list) and all(isinstance(x, dict) for x in value)):
                raise SettingError(f"stages in {path} must be tables: write [[stages]] above each")
            yield key, [dict(_flat(stage, path)) for stage in value]
        elif isinstance(value, dict):
            yield from _flat(value, path)
        elif key == "config":
            raise SettingError(f"{path} names another file, config = {value!r}: put all into one")
        else:
            yield key, value


def arguments(options: Mapping[str, Any]) -> list[str]:
    """As a person would type them: what is trained first."""
    first = [word for key in FIRST for word in _words(options.get(key, []))]
    rest = [
        argument
        for key, value in options.items()
        if key not in (*FIRST, "stages")
        for argument in _argument(key.replace("_", "-"), value)
    ]
    return [*first, *rest]


def _argument(option: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    words = _words(value)
    if len(words) == 1 and words[0].startswith("-"):  # it would be taken for an option itself
        return [f"--{option}={words[0]}"]
    for word in words:
        if word.startswith("--"):
            raise SettingError(f"{option} = {value!r}: {word!r} would be an option, not a value")
    return [f"--{option}", *words]


def _words(value: Any) -> list[str]:
    return [str(x) for x in value] if isinstance(value, list) else [str(value)]


def options_of(parsed: Any) -> dict[str, Any]:
    """All options that have a value, by name, of dataclasses as the command line parsed them."""
    found: dict[str, Any] = {}
    for field in fields(parsed):
        value = getattr(parsed, field.name)
        if field.name in NEVER or value is None:
            continue
        if is_dataclass(value):
            found |= options_of(value)
        else:
            found[field.name] = value
    return found


def toml(options: Mapping[str, Any], comment: str) -> str:
    """The file that `read` reads as these options."""
    stages = options.get("stages", [])
    lines = [f"# {comment}", *_lines(options)]
    for stage in stages:
        lines += ["", "[[stages]]", *_lines(stage)]
    return "\n".join(lines) + "\n"


def _lines(options: Mapping[str, Any]) -> list[str]:
    # JSON's numbers, strings and lists are TOML's, but for its pairs of escapes.
    return [
        f"{key} = {json.dumps(x, ensure_ascii=False)}"
        for key, x in options.items()
        if key != "stages"
    ]
