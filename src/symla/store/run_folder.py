"""A run folder: what one run keeps, and how it goes back to a checkpoint."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from symla.core.errors import CheckpointError, SchemaError, SettingError, require
from symla.core.settings import fits
from symla.core.text import typed
from symla.store.checkpoints import (
    SCHEMA,
    Checkpoint,
    check_schema,
    load_checkpoint,
    load_manifest,
    save_checkpoint,
)
from symla.store.files import append, read_object, remove_leftovers, write, write_json
from symla.store.lock import locked
from symla.store.segments import Buffer, Segment, from_listed, listed, write_segment
from symla.store.tensors import Arrays

RECIPE = "recipe"  # the experiment that a figure's run names: its settings are a recipe
TEST = "test"  # the experiment of a long test, whose settings are options of `symla test`


@dataclass(frozen=True)
class CheckpointSchedule:
    """How often a checkpoint is written, and how many are kept. No result depends on it.

    Raises SettingError outside ranges.
    """

    seconds: float = 60.0
    generations: int | None = None  # also after every so many
    newest: int = 3  # checkpoints kept

    def __post_init__(self):
        require(
            self.seconds >= 0, f"checkpoint_seconds must be at least 0, got {self.seconds}"
        )  # nan too
        require(self.newest >= 1, f"at least 1 checkpoint must be kept, got {self.newest}")
        require(
            self.generations is None or self.generations >= 1,
            f"checkpoint_generations must be at least 1, got {self.generations}",
        )


def new_folder(path: Path) -> Path:
    """Make the folder `path`, or where that is there already `path`-2, -3, ...: two processes that
    ask at the same time get two. Raises SettingError if it cannot be made."""
    candidate, number = path, 1
    while True:
        try:
            candidate.mkdir(parents=True)
            return candidate
        except FileExistsError:
            number += 1
            candidate = path.with_name(f"{path.name}-{number}")
        except OSError as error:
            raise _cannot_be_made(path, error) from error


def _cannot_be_made(path: Path, error: OSError) -> SettingError:
    return SettingError(
        f"cannot make the run folder {path}: {error.strerror}; choose another --run-dir"
    )


@dataclass(frozen=True)
class RunFolder:
    """Where one run keeps everything.

    Of several processes of one run only one is the `writer`; the others read, and write nothing.
    """

    path: Path
    writer: bool = True
    schedule: CheckpointSchedule = CheckpointSchedule()

    @property
    def config_path(self) -> Path:
        """The configuration: experiment, seed, settings, provenance."""
        return self.path / "config.json"

    @property
    def results_path(self) -> Path:
        """The results of the final tests. Only experiments write them, not recipes."""
        return self.path / "results.json"

    @property
    def start_path(self) -> Path:
        """The rule that the training began with, where it was another than a fresh one."""
        return self.path / "start.safetensors"

    @property
    def options_path(self) -> Path:
        """The options of the command line that made the run, as `symla train --config` reads."""
        return self.path / "train.toml"

    def is_group(self) -> bool:
        """Whether it holds the runs of several seeds or stages instead of one."""
        return self.options_path.exists() and not self.config_path.exists()

    def runs(self) -> Iterator["RunFolder"]:
        """Those that it holds, in the order of their names: stage-2 before stage-10."""
        for config in sorted(self.path.glob("**/config.json"), key=_order_of_folder):
            yield RunFolder(config.parent)

    def write_options(self, text: str) -> None:
        """Keep the options, if this process is the writer."""
        if self.writer:
            self.path.mkdir(parents=True, exist_ok=True)
            write(self.options_path, text.encode())

    @property
    def figures(self) -> Path:
        """The folder of the figures."""
        return self.path / "figures"

    @property
    def metrics_path(self) -> Path:
        """The metrics, one JSON object per line and generation."""
        return self.path / "metrics.jsonl"

    def best_path(self, generation: int) -> Path:
        """The checkpoint of the rule that did best, until then, where the run was probed."""
        return self.path / "checkpoints" / _name(generation, "best")

    def locked(self) -> AbstractContextManager[None]:
        """Keeps every other process from writing here.

        Raises LockedError, with the host and process, if one does already.
        """
        return locked(self.path / "lock") if self.writer else nullcontext()

    def create(self, config: Mapping[str, Any]) -> None:
        """Make the folder. Raises SettingError if a run already lives there, or it cannot be."""
        if not self.writer:
            return
        self.refuse_another_run()
        try:
            for folder in (self.path, self.path / "checkpoints", self.figures):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_be_made(self.path, error) from error
        with self.locked():
            self.refuse_another_run()  # one may have come in between
            write_json(self.config_path, {"schema": SCHEMA, **config})

    def refuse_another_run(self) -> None:
        """Raises SettingError if a run lives here."""
        if self.config_path.exists():
            raise SettingError(
                f"{self.path} already holds a run, and nothing in it was touched: "
                f"continue it with `symla resume {typed(self.path)}`, or choose another --run-dir"
            )

    def config(self) -> dict[str, Any]:
        """Raises CheckpointError if it is not there, or not the configuration of a run."""
        config = read_object(self.config_path, experiment=str, seed=int, settings=dict)
        schema = config.get("schema", SCHEMA)
        if not isinstance(schema, int):
            raise CheckpointError(f"{self.config_path} is damaged: its schema is {schema!r}")
        check_schema(self.config_path, schema)
        return config

    def origin(self) -> dict[str, Any]:
        """Where the run comes from: its first command, revision and hardware, and its resumes."""
        if not self.writer:
            return {}
        own = {"schema", "streams", "experiment", "seed", "settings"}
        return {key: value for key, value in self.config().items() if key not in own}

    def note_resume(self, provenance: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """Remember who continued it, and with which settings from here on."""
        if self.writer:
            config = self.config()
            resumed = [*config.get("resumed", []), dict(provenance)]
            write_json(
                self.config_path,
                {**config, "schema": SCHEMA, "settings": dict(settings), "resumed": resumed},
            )

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Write the results of the final tests, if this process is the writer."""
        if self.writer:
            write_json(self.results_path, {"schema": SCHEMA, **results})

    def results(self) -> dict[str, Any]:
        """Raises CheckpointError if they are not there, or not what an experiment leaves."""
        return read_object(self.results_path, length=int)

    def append_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append one row per generation, if this process is the writer."""
        if self.writer:
            append(self.metrics_path, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def metrics(self) -> list[dict[str, Any]]:
        """All whole rows; a last row cut off by a crash is left out.

        Raises CheckpointError, with the line, if another one is damaged.
        """
        if not self.metrics_path.exists():
            return []
        lines = self.metrics_path.read_bytes().split(b"\n")
        return [self._row(line, number) for number, line in enumerate(lines[:-1], 1)]

    def _row(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
            if isinstance(row, dict) and type(row.get("generation")) is int:
                return row
        except (ValueError, RecursionError):
            pass
        raise CheckpointError(
            f"{self.metrics_path} is damaged in line {number}: it is no row of metrics. Delete "
            "that line; training does not need it"
        )

    def forget_metrics_after(self, generation: int) -> None:
        """Drop the rows that the checkpoint of `generation` has not seen: they will come again."""
        if not self.writer:
            return
        rows = [row for row in self.metrics() if row["generation"] <= generation]
        write(self.metrics_path, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def go_back_to(self, generation: int) -> None:
        """Forget what came after: metric rows, and what a process killed in mid-save left.

        Newer checkpoints, which were damaged, and arrays whose manifest did not come any more are
        set aside under another name.
        """
        if not self.writer:
            return
        folder = self.path / "checkpoints"
        remove_leftovers(self.path)
        remove_leftovers(folder)
        for kind in ("generation", "best"):
            for path in folder.glob(f"{kind}-*.safetensors"):
                manifest = path.with_suffix(".json")
                newer = _order(path) > _order(Path(_name(generation, kind)))
                if newer or not manifest.exists():
                    for part in filter(Path.exists, (manifest, path)):
                        part.replace(part.with_name(f"damaged-{part.name}"))
        self._delete_outdated_segments()
        self.forget_metrics_after(generation)

    def save(
        self,
        generation: int,
        arrays: Arrays,
        manifest: Mapping[str, Any],
        keep: int | None = None,
        best: tuple[Arrays, Mapping[str, Any]] | None = None,
        buffers: Mapping[str, Buffer] = MappingProxyType({}),
        known: Sequence[Segment] = (),
    ) -> tuple[Segment, ...]:
        """Add a checkpoint (after `best`, where there is a new one), then drop the oldest.

        Of replay `buffers` only what the `known` segments, those of the checkpoint before, have not
        is written. Returns the segments of this one.
        """
        if not self.writer:
            return ()
        path = self.path / "checkpoints" / _name(generation)
        if best is not None:
            arrays_then, manifest_then = best
            save_checkpoint(self.best_path(manifest_then["generation"]), arrays_then, manifest_then)
        segments = write_segment(path.parent, generation, buffers, known)
        named = {"segments": listed(segments)} if segments else {}
        save_checkpoint(path, arrays, {"generation": generation, **manifest, **named})
        keep = keep or self.schedule.newest  # so many bests too: each may be one checkpoint's
        for old in [*list(self.checkpoints())[keep:], *list(self.checkpoints("best"))[keep:]]:
            old.with_suffix(".json").unlink(missing_ok=True)  # the manifest first: none is half
            old.unlink(missing_ok=True)
        self._delete_outdated_segments()
        return segments

    def _delete_outdated_segments(self) -> None:
        """Those that no checkpoint names, if all of these can be read."""
        found = set((self.path / "checkpoints").glob("replay-*.safetensors"))
        try:
            for path in self.checkpoints() if found else ():
                where = path.with_suffix(".json")
                named = from_listed(load_manifest(where).get("segments", []), where)
                found -= {path.with_name(segment.file) for segment in named}
        except CheckpointError:
            return
        for path in found:
            path.unlink(missing_ok=True)

    def checkpoints(self, kind: str = "generation") -> Iterator[Path]:
        """Newest first. Arrays without a manifest are none: a save that did not come to its end."""
        manifests = (self.path / "checkpoints").glob(f"{kind}-*.json")
        found = (path.with_suffix(".safetensors") for path in manifests)
        return iter(sorted(found, key=_order, reverse=True))

    def generations_done(self) -> int:
        """Of the newest checkpoint that can be read. Raises CheckpointError if there is none."""
        checkpoint = self.newest_checkpoint(warn=False)
        done: Any = checkpoint.manifest.get("generation")
        if not fits(done, int):
            raise CheckpointError(f"the manifest of {checkpoint.path} lacks its generation")
        return done

    def newest_checkpoint(self, warn: bool = True) -> Checkpoint:
        """The newest that can be read; a warning names those skipped.

        Raises CheckpointError if there is none.
        """
        faults: list[str] = []
        for path in self.checkpoints():
            try:
                return load_checkpoint(path)
            except SchemaError:
                raise  # whole, and further than the one before: going back would lose it
            except CheckpointError as error:
                faults.append(str(error))
                if warn:
                    logging.getLogger("symla").warning("skipped a checkpoint: %s", error)
        raise CheckpointError(
            f"{self.path} has no checkpoint that can be read"
            + "".join(f"\n  {fault}" for fault in faults)
        )


def _name(generation: int, kind: str = "generation") -> str:
    return f"{kind}-{generation:06d}.safetensors"


def _order(path: Path) -> tuple[int, str]:
    return len(path.name), path.name


def _order_of_folder(path: Path) -> tuple[int, str]:
    return len(str(path)), str(path)
