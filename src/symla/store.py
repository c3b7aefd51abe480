"""The only room that touches the disk: run folders, checkpoints, metrics, results.

Everything is written whole or not at all: to a temporary file, flushed, renamed; and a checkpoint's
manifest, which holds the SHA-256 of its arrays, comes last. Arrays are safetensors, the rest is
JSON; nothing is ever unpickled. No jax here, so that `report` can read without it.

    RUN/config.json          experiment, settings, seed, command, hardware, revision
        metrics.jsonl        a row a generation
        checkpoints/         generation-000150.safetensors and .json, the manifest
        results.json         regret per environment and algorithm
        figures/*.png
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from symla.errors import CheckpointError, SettingError

SCHEMA = 1

Arrays = dict[str, np.ndarray]


class Checkpoint(NamedTuple):
    arrays: Arrays  # by name, "params/recurrent"
    manifest: dict[str, Any]
    path: Path


def write(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, so that a crash leaves either the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)


def write_json(path: Path, value: Any) -> None:
    write(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Raises CheckpointError if the file is not there or not JSON."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: it is not JSON ({error})") from error


def read_object(path: Path, **keys: type) -> dict[str, Any]:
    """A JSON object with these keys of these types. Raises CheckpointError if it is not one."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is damaged: it holds no JSON object")
    for key, kind in keys.items():
        if not fits(value.get(key), kind):
            raise CheckpointError(f"{path} is damaged: it lacks {key!r}, or it has a wrong type")
    return value


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


def flatten(tree: Any, name: str) -> Arrays:
    """NamedTuples and tuples of arrays as one flat dictionary, "params/forward/weight" -> array."""
    if isinstance(tree, tuple):
        keys = getattr(tree, "_fields", range(len(tree)))
        return {k: v for key, x in zip(keys, tree) for k, v in flatten(x, f"{name}/{key}").items()}
    return {name: np.asarray(tree)}


def unflatten(template: Any, name: str, arrays: Arrays, where: Path) -> Any:
    """The tree whose arrays `flatten` named, checked against the template's shapes and types.

    Raises CheckpointError that names the array which is missing or of another shape.
    """
    if isinstance(template, tuple):
        keys = getattr(template, "_fields", range(len(template)))
        parts = [unflatten(t, f"{name}/{k}", arrays, where) for k, t in zip(keys, template)]
        return type(template)(*parts) if hasattr(template, "_fields") else tuple(parts)
    if name not in arrays:
        raise CheckpointError(
            f"{where} holds no {name!r}, which its manifest's algorithm needs: it is a checkpoint "
            f"of another algorithm, or damaged. It holds: {', '.join(sorted(arrays))}"
        )
    found, expected = arrays[name], (tuple(template.shape), np.dtype(template.dtype))
    if (found.shape, found.dtype) != expected:
        raise CheckpointError(
            f"{where}: {name!r} is {found.dtype}{list(found.shape)}, but its manifest's algorithm "
            f"needs {expected[1]}{list(expected[0])}: it is a checkpoint of another algorithm"
        )
    return found


def save_checkpoint(path: Path, arrays: Arrays, manifest: Mapping[str, Any]) -> None:
    """Write `path` (.safetensors), then its manifest (.json) with the SHA-256 of those bytes."""
    data = safetensors.numpy.save(arrays)
    write(path, data)
    digest = hashlib.sha256(data).hexdigest()
    write_json(path.with_suffix(".json"), {"schema": SCHEMA, "sha256": digest, **manifest})


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises CheckpointError if any of it is missing, damaged, or of a newer schema."""
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path} is not a checkpoint: name a .safetensors file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    manifest_path = path.with_suffix(".json")
    manifest = read_json(manifest_path)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("schema"), int):
        raise CheckpointError(f"{manifest_path} is not the manifest of a checkpoint")
    if manifest["schema"] > SCHEMA:
        raise CheckpointError(
            f"{path} was written by a newer symla (schema {manifest['schema']}, this one reads up "
            f"to {SCHEMA}): upgrade with `python -m pip install --upgrade symla`"
        )
    if hashlib.sha256(data).hexdigest() != manifest.get("sha256"):
        raise CheckpointError(
            f"{path} is damaged: its contents do not match the SHA-256 in {manifest_path.name}. "
            "Take an earlier checkpoint of the run"
        )
    try:
        return Checkpoint(safetensors.numpy.load(data), manifest, path)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error


@dataclass(frozen=True)
class RunFolder:
    """Where one run keeps everything.

    Of several processes of one run only one is the `writer`; the others read, and write nothing.
    """

    path: Path
    writer: bool = True

    @property
    def config_path(self) -> Path:
        return self.path / "config.json"

    @property
    def results_path(self) -> Path:
        return self.path / "results.json"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    def create(self, config: Mapping[str, Any]) -> None:
        """Make the folder. Raises SettingError if a run already lives there, or it cannot be."""
        if not self.writer:
            return
        if self.config_path.exists():
            raise SettingError(
                f"{self.path} already holds a run, and nothing in it was touched: "
                f"continue it with `symla resume {self.path}`, or choose another --run-dir"
            )
        try:
            for folder in (self.path, self.path / "checkpoints", self.figures):
                folder.mkdir(parents=True, exist_ok=True)
            write_json(self.config_path, {"schema": SCHEMA, **config})
        except OSError as error:
            raise SettingError(
                f"cannot make the run folder {self.path}: {error.strerror}; "
                "choose another --run-dir"
            ) from error

    def config(self) -> dict[str, Any]:
        """Raises CheckpointError if it is not there, or not the configuration of a run."""
        return read_object(self.config_path, experiment=str, seed=int, settings=dict)

    def origin(self) -> dict[str, Any]:
        """Where the run comes from: its first command, revision and hardware, and its resumes."""
        if not self.writer:
            return {}
        own = {"schema", "experiment", "seed", "settings"}
        return {key: value for key, value in self.config().items() if key not in own}

    def note_resume(self, provenance: Mapping[str, Any]) -> None:
        if self.writer:
            config = self.config()
            resumed = [*config.get("resumed", []), dict(provenance)]
            write_json(self.config_path, {**config, "resumed": resumed})

    def write_results(self, results: Mapping[str, Any]) -> None:
        if self.writer:
            write_json(self.results_path, {"schema": SCHEMA, **results})

    def results(self) -> dict[str, Any]:
        """Raises CheckpointError if they are not there, or not what a finished run leaves."""
        return read_object(
            self.results_path, algorithm=str, trained_on=str, length=int, regret=dict
        )

    def append_metrics(self, rows: list[Mapping[str, Any]]) -> None:
        if not self.writer:
            return
        with open(self.metrics_path, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())

    def metrics(self) -> list[dict[str, Any]]:
        """All whole rows; a last row cut off by a crash is left out."""
        if not self.metrics_path.exists():
            return []
        lines = self.metrics_path.read_text(encoding="utf-8").split("\n")
        try:
            return [json.loads(line) for line in lines[:-1]]
        except ValueError as error:
            raise CheckpointError(f"{self.metrics_path} is damaged: {error}") from error

    def forget_metrics_after(self, generation: int) -> None:
        """Drop the rows that the checkpoint of `generation` has not seen: they will come again."""
        if not self.writer:
            return
        rows = [row for row in self.metrics() if row["generation"] <= generation]
        write(self.metrics_path, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def save(self, generation: int, arrays: Arrays, manifest: Mapping[str, Any], keep: int) -> Path:
        """Add a checkpoint, then drop all but the newest `keep`."""
        path = self.path / "checkpoints" / f"generation-{generation:06d}.safetensors"
        if not self.writer:
            return path
        save_checkpoint(path, arrays, {"generation": generation, **manifest})
        for old in list(self.checkpoints())[keep:]:
            old.with_suffix(".json").unlink(missing_ok=True)  # the manifest first: none is half
            old.unlink(missing_ok=True)
        return path

    def checkpoints(self) -> Iterator[Path]:
        """Newest first."""
        found = (self.path / "checkpoints").glob("generation-*.safetensors")
        return iter(sorted(found, key=lambda path: (len(path.name), path.name), reverse=True))

    def newest_checkpoint(self) -> Checkpoint:
        """The newest that can be read; a warning names those skipped.

        Raises CheckpointError if there is none.
        """
        faults: list[str] = []
        for path in self.checkpoints():
            try:
                return load_checkpoint(path)
            except CheckpointError as error:
                faults.append(str(error))
                logging.getLogger("symla").warning("skipped a checkpoint: %s", error)
        raise CheckpointError(
            f"{self.path} has no checkpoint that can be read"
            + "".join(f"\n  {fault}" for fault in faults)
        )
