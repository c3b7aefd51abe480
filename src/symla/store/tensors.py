"""Arrays by name to the bytes of a safetensors file, and back."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, deserialize

from symla.core.errors import CheckpointError

Arrays = dict[str, np.ndarray]

# By the name in a safetensors file. `safetensors.numpy` writes "BF16", but does not read it.
DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "U8": np.uint8, "U16": np.uint16, "U32": np.uint32, "U64": np.uint64,
    "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64,
    "F16": np.float16, "F32": np.float32, "F64": np.float64,
    "C64": np.complex64,
}  # fmt: skip


def to_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The contents of a safetensors file."""
    # Of an array in another order than C safetensors would write the bytes as they lie.
    return safetensors.numpy.save({k: np.asarray(v, order="C") for k, v in arrays.items()})


def from_bytes(data: bytes, path: Path) -> Arrays:
    """What `to_bytes` made, read from `path`. Raises CheckpointError if it is something else."""
    try:
        return {
            name: np.frombuffer(view["data"], _dtype(view["dtype"])).reshape(view["shape"])
            for name, view in deserialize(data)
        }
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error


def digest(data: bytes) -> str:
    """Its SHA-256."""
    return hashlib.sha256(data).hexdigest()


def _dtype(name: str) -> Any:
    if name == "BF16":
        import ml_dtypes  # here, so that `symla --help` answers at once

        return ml_dtypes.bfloat16
    return DTYPES[name]
