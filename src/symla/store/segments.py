"""Replay buffers on disk: what was added between two checkpoints is one file, written once.

A checkpoint's manifest names those that its buffers are made of, oldest first. So a checkpoint
costs what is new, and a file is deleted when no checkpoint names it any more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from symla.core.errors import CheckpointError
from symla.core.settings import fits
from symla.store.files import write
from symla.store.tensors import Arrays, digest, from_bytes, to_bytes

LIMIT = 1000  # segments of one checkpoint; then its buffers are written whole, as one segment


class Span(NamedTuple):
    """Which transitions of the N members of a buffer a segment holds: numbers begin to end - 1."""

    identity: np.ndarray  # uint32 [N, 2]
    begin: np.ndarray  # int64 [N]
    end: np.ndarray  # int64 [N]


class Segment(NamedTuple):
    """A file with what was added to all buffers between two checkpoints."""

    file: str  # beside the checkpoints
    length: int  # bytes
    sha256: str
    spans: Mapping[str, Span]  # by the name of the buffer; {} before it was read


class Buffer(NamedTuple):
    """A replay buffer, or N members side by side, as the store knows it.

    Transition number i of a member is in row i modulo the capacity.
    """

    identity: np.ndarray  # uint32 [N, 2]
    added: np.ndarray  # int64 [N], transitions ever added
    capacity: int
    rows: Callable[[np.ndarray, np.ndarray], Arrays]  # (begin, end): those of all members in turn

    @property
    def oldest(self) -> np.ndarray:
        """The number of the oldest transition that is still there."""
        return np.maximum(self.added - self.capacity, 0)


def write_segment(
    folder: Path, generation: int, buffers: Mapping[str, Buffer], known: Sequence[Segment]
) -> tuple[Segment, ...]:
    """Write what `buffers` have and the `known` segments of the checkpoint before have not.

    Returns the segments of the checkpoint to come, without those of `known` that are outdated.
    """
    if len(known) >= LIMIT:
        known = ()
    spans = {name: _new(name, buffer, known) for name, buffer in buffers.items()}
    kept = tuple(
        segment
        for segment in known
        if any(_holds(segment, name, buffers[name].oldest, span) for name, span in spans.items())
    )
    if all((span.begin == span.end).all() for span in spans.values()):
        return kept
    arrays: Arrays = {}
    for name, span in spans.items():
        rows = buffers[name].rows(span.begin, span.end)
        arrays |= {f"{name}/{field}": value for field, value in span._asdict().items()}
        arrays |= {f"{name}/{leaf}": value for leaf, value in rows.items()}
    data = to_bytes(arrays)
    sha256 = digest(data)
    # Named by its contents too: no file is ever replaced by another one.
    segment = Segment(
        f"replay-{generation:06d}-{sha256[:16]}.safetensors", len(data), sha256, spans
    )
    write(folder / segment.file, data)
    return (*kept, segment)


def _new(name: str, buffer: Buffer, known: Sequence[Segment]) -> Span:
    """What is there and was not on disk when the last of the known segments was written."""
    begin = buffer.oldest
    if known:
        identity, _, end = known[-1].spans[name]  # every segment has the spans of all buffers
        goes_on = (identity == buffer.identity).all(1) & (end <= buffer.added)
        begin = np.where(goes_on, np.maximum(end, begin), begin)
    return Span(buffer.identity, begin, buffer.added)


def _holds(segment: Segment, name: str, oldest: np.ndarray, new: Span) -> bool:
    """Whether it has transitions from the oldest to where the new ones begin."""
    identity, begin, end = segment.spans[name]
    same = (identity == new.identity).all(1)
    return bool((same & (np.maximum(begin, oldest) < np.minimum(end, new.begin))).any())


def listed(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """As a manifest names them."""
    return [{"file": x.file, "length": x.length, "sha256": x.sha256} for x in segments]


def from_listed(entries: Any, manifest: Path) -> tuple[Segment, ...]:
    """What `listed` made. Raises CheckpointError, which names the manifest, for anything else."""
    if not isinstance(entries, list) or not all(map(_is_listed, entries)):
        raise CheckpointError(f"{manifest} is damaged: its segments are no list of files")
    return tuple(Segment(x["file"], x["length"], x["sha256"], {}) for x in entries)


def _is_listed(entry: Any) -> bool:
    kinds = {"file": str, "length": int, "sha256": str}
    whole = isinstance(entry, dict) and all(fits(entry.get(k), kind) for k, kind in kinds.items())
    return whole and Path(entry["file"]).name == entry["file"]  # beside the manifest, nowhere else


def verified(folder: Path, segment: Segment) -> bytes:
    """Its contents. Raises CheckpointError, which names the file, if it is missing or damaged."""
    path = folder / segment.file
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(
            f"cannot read {path}, which holds a part of the checkpoint's replay buffers: {reason}"
        ) from error
    if len(data) != segment.length or digest(data) != segment.sha256:
        raise CheckpointError(
            f"{path} is damaged: its contents do not match the length and SHA-256 in the manifest "
            "of the checkpoint that names it. Take another checkpoint of the run"
        )
    return data


def read_segments(
    folder: Path,
    segments: Sequence[Segment],
    buffers: Mapping[str, Buffer],
    rows: Mapping[str, Arrays],
) -> tuple[Segment, ...]:
    """Fill `rows` of empty buffers, [N, capacity, ...] by buffer and array, from the segments.

    Returns these with their spans, as `write_segment` needs them. Raises CheckpointError that names
    the file which is missing, damaged, or not of these buffers.
    """
    there = {n: np.zeros((len(x.added), x.capacity), np.bool_) for n, x in buffers.items()}
    found = []
    for segment in segments:
        path = folder / segment.file
        arrays = from_bytes(verified(folder, segment), path)
        spans = {n: _span(arrays, n, len(x.added), path) for n, x in buffers.items()}
        for name, buffer in buffers.items():
            _fill(arrays, name, buffer, spans[name], rows[name], there[name], path)
        found.append(segment._replace(spans=spans))
    for name, buffer in buffers.items():
        if (there[name].sum(1) != np.minimum(buffer.added, buffer.capacity)).any():
            raise CheckpointError(
                f"the segments in {folder} lack transitions of {name!r}, which the checkpoint "
                "needs: its manifest is of another run"
            )
    return tuple(found)


def _span(arrays: Arrays, name: str, members: int, path: Path) -> Span:
    parts = [arrays.get(f"{name}/{field}", np.zeros(0)) for field in Span._fields]
    expected = [(np.uint32, (members, 2)), (np.int64, (members,)), (np.int64, (members,))]
    span = Span(*parts)
    if [(x.dtype, x.shape) for x in parts] != expected or (span.begin > span.end).any():
        raise _of_another(path, name)
    return span


def _fill(
    arrays: Arrays,
    name: str,
    buffer: Buffer,
    span: Span,
    into: Arrays,
    there: np.ndarray,
    path: Path,
) -> None:
    """Put what the buffer still has where it was."""
    total = int((span.end - span.begin).sum())
    new = {leaf: arrays.get(f"{name}/{leaf}", np.zeros(())) for leaf in into}
    for leaf, array in into.items():
        if (new[leaf].dtype, new[leaf].shape) != (array.dtype, (total, *array.shape[2:])):
            raise _of_another(path, name)
    for member, start, first, stop in _pieces(buffer, span):
        numbers = np.arange(first, stop) % buffer.capacity
        there[member, numbers] = True
        for leaf, array in into.items():
            array[member, numbers] = new[leaf][start : start + stop - first]


def _pieces(buffer: Buffer, span: Span) -> Iterator[tuple[int, int, int, int]]:
    """Member, where its transitions begin in the segment, and their numbers: first to stop - 1."""
    start = np.cumsum(span.end - span.begin) - (span.end - span.begin)
    first = np.maximum(span.begin, buffer.oldest)
    stop = np.minimum(span.end, buffer.added)
    same = (span.identity == buffer.identity).all(1) & (first < stop)
    for member in np.flatnonzero(same).tolist():
        skipped = first[member] - span.begin[member]
        yield member, int(start[member] + skipped), int(first[member]), int(stop[member])


def _of_another(path: Path, name: str) -> CheckpointError:
    return CheckpointError(
        f"{path} holds no transitions of {name!r} such as its checkpoint's algorithm needs: it is "
        "of another run"
    )
