"""Checkpoints: arrays by name in a safetensors file, and a manifest with their SHA-256."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from symla.core.errors import CheckpointError, SchemaError
from symla.store.files import read_json, rename, write, write_json
from symla.store.migrations import to_schema_3, to_schema_4
from symla.store.segments import Segment, from_listed, verified
from symla.store.tensors import Arrays, digest, from_bytes, to_bytes

SCHEMA = 4

# Schema -> what makes its manifests those of the next. A schema that no longer has one is refused.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: lambda manifest: manifest,  # 2 adds the manifest's own SHA-256, which 1 cannot have
    2: to_schema_3,
    3: to_schema_4,
}


class Checkpoint(NamedTuple):
    """What a checkpoint holds, and the safetensors file it was read from."""

    arrays: Arrays  # by name, "params/recurrent"
    manifest: dict[str, Any]
    path: Path
    segments: tuple[Segment, ...] = ()  # what its replay buffers are made of


def flatten(tree: Any, name: str) -> Arrays:
    """Any pytree of arrays as one flat dictionary, "params/forward/weight" -> array.

    Parts are named by field, key or position; typed keys become their data, numbers of Python
    arrays as jax would make them.
    """
    return {where: np.asarray(_data(leaf)) for where, leaf in named_leaves(tree, name)}


def unflatten(template: Any, name: str, arrays: Arrays, where: Path) -> Any:
    """The tree whose arrays `flatten` named, checked against the template's shapes and types.

    The template's leaves are arrays or `jax.ShapeDtypeStruct`. Raises CheckpointError that names
    the array which is missing or of another shape.
    """
    import jax

    found = [_checked(leaf, part, arrays, where) for part, leaf in named_leaves(template, name)]
    return jax.tree.unflatten(jax.tree.structure(template), found)


def named_leaves(
    tree: Any, name: str, is_leaf: Callable[[Any], bool] | None = None
) -> Iterator[tuple[str, Any]]:
    """Each leaf with its name; whatever `is_leaf` says is one, too."""
    from jax.tree_util import tree_flatten_with_path  # here, so that `report` needs no jax

    for path, leaf in tree_flatten_with_path(tree, is_leaf)[0]:
        yield "/".join((name, *map(_part, path))), leaf


def _part(key: Any) -> str:
    """Of a path: a field's name, a dictionary's key, or a position."""
    for attribute in ("name", "key", "idx"):
        if hasattr(key, attribute):
            return quote(str(getattr(key, attribute)), safe=" ")
    raise TypeError(f"a pytree with parts of an unknown kind: {key!r}")


def _is_key(leaf: Any) -> bool:
    import jax

    return hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _data(leaf: Any) -> Any:
    import jax

    if _is_key(leaf):
        return jax.random.key_data(leaf)
    return leaf if hasattr(leaf, "dtype") else jax.numpy.asarray(leaf)


def _checked(leaf: Any, name: str, arrays: Arrays, where: Path) -> Any:
    import jax

    if name not in arrays:
        raise CheckpointError(
            f"{where} holds no {name!r}, which its manifest's algorithm needs: it is a checkpoint "
            f"of another algorithm, or damaged. It holds: {', '.join(sorted(arrays))}"
        )
    plain = hasattr(leaf, "dtype") and not _is_key(leaf)
    shape = leaf if plain else jax.eval_shape(_data, leaf)
    found, expected = arrays[name], (tuple(shape.shape), np.dtype(shape.dtype))
    if (found.shape, found.dtype) != expected:
        raise CheckpointError(
            f"{where}: {name!r} is {found.dtype}{list(found.shape)}, but its manifest's algorithm "
            f"needs {expected[1]}{list(expected[0])}: it is a checkpoint of another algorithm"
        )
    if _is_key(leaf):
        words = jax.numpy.asarray(found)
        return jax.random.wrap_key_data(words, impl=leaf.dtype._impl)  # nothing public has it
    return found


def save_checkpoint(path: Path, arrays: Arrays, manifest: Mapping[str, Any]) -> None:
    """Write `path` (.safetensors), then its manifest (.json) with the SHA-256 of both.

    Where there is a checkpoint already, a crash at any point leaves one that can be read, the old
    or the new one: the manifest is what replaces it, and until then and a rename later the new
    arrays lie beside the old ones.
    """
    data, listed = to_bytes(arrays), path.with_suffix(".json")
    whole = {"schema": SCHEMA, "sha256": digest(data), **manifest}
    signed = {**whole, "manifest_sha256": manifest_digest(whole)}
    pending = _pending(path)
    if pending.exists():  # of a save that did not come to its end
        _end(path)
    if not listed.exists():  # arrays alone are no checkpoint
        write(path, data)
        write_json(listed, signed)
        return
    try:
        write(pending, data, named=path)
        write_json(listed, signed)
        rename(pending, path)
    except OSError:
        if pending.exists():
            _end(path)
        raise


def _pending(path: Path) -> Path:
    """The arrays that are to replace those at `path`."""
    return path.with_name(f".{path.name}.next")


def _end(path: Path) -> None:
    """Replace the arrays, if the manifest was."""
    pending = _pending(path)
    try:
        replaced = load_manifest(path.with_suffix(".json")).get("sha256")
    except CheckpointError:
        replaced = None
    if digest(pending.read_bytes()) == replaced:
        rename(pending, path)
    else:
        pending.unlink()


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises CheckpointError if any of it is missing, damaged, or of another schema, the segments
    that it names included."""
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path} is not a checkpoint: name a .safetensors file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    manifest = load_manifest(path.with_suffix(".json"))
    if digest(data) != manifest.get("sha256"):
        data = _after_a_crash(path, manifest.get("sha256"))
    segments = from_listed(manifest.pop("segments", []), path.with_suffix(".json"))
    for segment in segments:
        verified(path.parent, segment)
    return Checkpoint(from_bytes(data, path), manifest, path, segments)


def _after_a_crash(path: Path, expected: Any) -> bytes:
    """The arrays of a save that ended between its manifest and the rename. Raises CheckpointError
    if there are none: those at `path` are damaged."""
    pending = _pending(path)
    if pending.exists() and digest(data := pending.read_bytes()) == expected:
        return data
    raise CheckpointError(
        f"{path} is damaged: its contents do not match the SHA-256 in its manifest, "
        f"{path.stem}.json. Take an earlier checkpoint of the run"
    )


def load_manifest(path: Path) -> dict[str, Any]:
    """Of today's schema, whatever it was written in.

    Raises CheckpointError if it is damaged; SchemaError if it is of a newer
    schema, or of one too old to migrate.
    """
    manifest = read_json(path)
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise CheckpointError(f"{path} is not the manifest of a checkpoint")
    signed = schema >= 2
    if signed and manifest.pop("manifest_sha256", None) != manifest_digest(manifest):
        newer = f", or of a newer symla (schema {schema})" if schema > SCHEMA else ""
        raise CheckpointError(
            f"{path} is damaged: it does not match its own SHA-256{newer}. Take an earlier "
            "checkpoint of the run"
        )
    check_schema(path, schema)
    for step in range(schema, SCHEMA):
        manifest = MIGRATIONS[step](manifest)
    return manifest | {"schema": SCHEMA}


def check_schema(path: Path, schema: int) -> None:
    """Raises SchemaError for what this version cannot read, and says what can."""
    if schema > SCHEMA:
        raise SchemaError(
            f"{path} was written by a newer symla (schema {schema}, this one reads up to "
            f"{SCHEMA}): upgrade with `python -m pip install --upgrade symla`"
        )
    if any(step not in MIGRATIONS for step in range(schema, SCHEMA)):
        raise SchemaError(
            f"{path} has schema {schema}, from which this symla cannot migrate (it reads "
            f"{min(MIGRATIONS, default=SCHEMA)} to {SCHEMA}): open it with the version that wrote "
            "it"
        )


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of what it says, whatever the order and the spaces."""
    return digest(json.dumps(manifest, sort_keys=True).encode())
