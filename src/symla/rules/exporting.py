"""A rule as numbers that need no JAX: for NumPy, and for a page in the browser."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import jax
import numpy as np

from symla.algorithms.symla import SymLA
from symla.algorithms.symla.layer import Weights
from symla.core.errors import require
from symla.rules.rule import Rule
from symla.store import check_writable, write

NUMPY_RULE = Path(__file__).with_name("numpy_rule.py")


def export_numpy(rule: Rule, path: Path) -> tuple[Path, Path]:
    """Write a module that has the rule in NumPy alone, and its numbers beside it, .npz.

    Returns both paths. Raises SettingError for a rule that is not SymLA's, or begins with random
    states, and for a path that does not end in .py.
    """
    require(path.suffix == ".py", f"{path} must end in .py")
    numbers = path.with_suffix(".npz")
    check_writable(path)
    weights: dict[str, Any] = weights_of(rule)
    algorithm = symla_of(rule)
    data = BytesIO()
    np.savez(
        data,
        **weights,
        micro_ticks=np.int64(algorithm.micro_ticks),
        widths=np.array(algorithm.widths, np.int64),
        sums=np.bool_(algorithm.aggregation == "sum"),
    )
    write(numbers, data.getvalue())
    write(path, NUMPY_RULE.read_bytes())
    return path, numbers


def web_numbers(rule: Rule) -> dict[str, Any]:
    """What a page needs of the rule, as JSON can hold it: sizes, and each array as base64 of
    little-endian float32 in rows. Raises SettingError as `export_numpy`."""
    weights: dict[str, Any] = weights_of(rule)
    algorithm = symla_of(rule)
    return {
        "hiddenSize": algorithm.hidden_size,
        "messageSize": algorithm.message_size,
        "microTicks": algorithm.micro_ticks,
        "widths": list(algorithm.widths),
        "sums": algorithm.aggregation == "sum",
        "weights": {
            name: b64encode(array.astype("<f4").tobytes()).decode()
            for name, array in weights.items()
        },
    }


def symla_of(rule: Rule) -> SymLA:
    """Its algorithm. Raises SettingError if that is another one, or draws random states."""
    algorithm = rule.algorithm
    require(
        isinstance(algorithm, SymLA),
        f"only rules of SymLA can be written without JAX, and this one is {algorithm!r}: "
        "FILE.safetensors keeps it for symla",
    )
    assert isinstance(algorithm, SymLA)
    require(
        algorithm.initial_std == 0,
        f"this rule begins with random states (initial_std {algorithm.initial_std}), which only "
        "symla draws: FILE.safetensors keeps it",
    )
    return algorithm


def weights_of(rule: Rule) -> dict[str, np.ndarray]:
    """Its meta-parameters by name, float32."""
    symla_of(rule)
    weights: Weights = jax.device_get(rule.params)
    named = {
        name: getattr(weights, name) for name in ("below", "above", "shared", "recurrent", "bias")
    }
    for name in ("forward", "backward"):
        linear = getattr(weights, name)
        named |= {f"{name}_weight": linear.weight, f"{name}_bias": linear.bias}
    return {name: np.asarray(array, np.float32) for name, array in named.items()}
