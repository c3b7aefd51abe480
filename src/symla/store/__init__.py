"""The only folder whose code touches a run's data: run folders, checkpoints, metrics, results.

Everything is written whole or not at all: to a temporary file, flushed, renamed; and a checkpoint's
manifest, which holds the SHA-256 of its arrays and of itself, comes last. Arrays are safetensors,
the rest is JSON; nothing is ever unpickled. No jax here, so that `report` can read without it.

    RUN/config.json          experiment, settings, seed, command, hardware, revision
        metrics.jsonl        one row per generation
        checkpoints/         generation-000150.safetensors and .json, the manifest; best-*
                             replay-000150-*.safetensors: what was added to replay buffers since
        start.safetensors    the rule it began with, if not a fresh one; start.json, its card
        results.json         regret per environment and algorithm
        figures/*.png
        lock                 host and process of whoever writes here now; empty when nobody does
"""

from symla.store.checkpoints import (
    SCHEMA,
    Checkpoint,
    flatten,
    load_checkpoint,
    load_manifest,
    named_leaves,
    save_checkpoint,
    unflatten,
)
from symla.store.descriptions import (
    describe,
    differences,
    from_settings,
    rebuild,
    rewritten,
)
from symla.store.files import check_writable, read_json, read_object, write, write_json
from symla.store.run_folder import RECIPE, TEST, CheckpointSchedule, RunFolder, new_folder
from symla.store.segments import Buffer, Segment, read_segments
from symla.store.tensors import Arrays

__all__ = [
    "RECIPE",
    "SCHEMA",
    "TEST",
    "Arrays",
    "Buffer",
    "Checkpoint",
    "CheckpointSchedule",
    "RunFolder",
    "Segment",
    "check_writable",
    "describe",
    "differences",
    "flatten",
    "from_settings",
    "load_checkpoint",
    "load_manifest",
    "named_leaves",
    "new_folder",
    "read_json",
    "read_object",
    "read_segments",
    "rebuild",
    "rewritten",
    "save_checkpoint",
    "unflatten",
    "write",
    "write_json",
]
