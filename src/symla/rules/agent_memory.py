"""An agent in a file: its rule, and what it has become in its lifetime. Nothing is pickled."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from symla.algorithms import ALGORITHM_CLASSES
from symla.algorithms.base import AnyAlgorithm
from symla.core import streams
from symla.core.errors import CheckpointError, SizeError, require
from symla.core.settings import fits
from symla.core.types import ACTION_SPACES, Params, Spec, State
from symla.lifetimes.percepts import LastStep
from symla.store import Checkpoint, describe, flatten, save_checkpoint, unflatten

OWN = {"schema", "sha256", "best", "agent"}  # of the manifest of the file a rule came from


@runtime_checkable
class Learned(Protocol):
    """What an agent needs of a `Rule`, which imports this module."""

    @property
    def algorithm(self) -> AnyAlgorithm:
        """The learning algorithm."""
        ...

    @property
    def params(self) -> Params:
        """Its meta-parameters."""
        ...

    @property
    def card(self) -> dict[str, Any]:
        """Where they come from."""
        ...


class Memory(NamedTuple):
    """All that an agent is besides its rule and its spaces."""

    seed: int
    steps: int  # lived
    acted: bool  # whether what the last action earned is still to be observed
    state: State  # of the learning algorithm
    last: LastStep  # as far as it is known


def save_agent(path: Path, rule: Learned, spec: Spec, memory: Memory) -> None:
    """Write `path` and beside it the manifest, .json. Raises SettingError for another suffix,
    StorageError if they cannot be written."""
    require(path.suffix == ".safetensors", f"{path} must end in .safetensors")
    known = {name: value for name, value in memory.last._asdict().items() if value is not None}
    trees = {"params": rule.params, "state": memory.state, "last": known}
    arrays = {k: v for name, tree in trees.items() for k, v in flatten(tree, name).items()}
    lives = {"seed": memory.seed, "steps": memory.steps, "acted": memory.acted}
    own = describe(spec, ACTION_SPACES)
    manifest = {
        "spec": own,
        **{key: value for key, value in rule.card.items() if key not in OWN},
        "algorithm": describe(rule.algorithm, ALGORITHM_CLASSES),
        "agent": {**lives, "spec": own, **streams.numerics()},
    }
    save_checkpoint(path, arrays, manifest)


def seed_of(checkpoint: Checkpoint) -> int:
    """Of the agent in it. Raises CheckpointError if there is none, or not one that goes on here."""
    path, agent = checkpoint.path, checkpoint.manifest.get("agent")
    if agent is None:
        raise CheckpointError(
            f"{path} holds no agent, but a rule alone: symla.load({str(path)!r}).agent(env) begins "
            "a lifetime of it; what agent.save(FILE) wrote can be loaded as an agent"
        )
    for key, kind in {"seed": int, "steps": int, "acted": bool, "spec": dict}.items():
        if not (isinstance(agent, dict) and fits(agent.get(key), kind)):
            raise CheckpointError(f"the manifest of {path} is damaged: its agent lacks {key!r}")
    streams.check_numerics(agent, path)
    return agent["seed"]


def memory_of(checkpoint: Checkpoint, spec: Spec, fresh: Memory, where: str) -> Memory:
    """What the agent in the file has become, where `fresh` is one of that rule at its beginning.

    Raises SizeError if it lived in other spaces than those of `where`, CheckpointError if arrays
    are missing or of other shapes.
    """
    arrays, manifest, path, _ = checkpoint
    agent = manifest["agent"]
    if agent["spec"] != describe(spec, ACTION_SPACES):
        raise SizeError(
            f"{path} holds an agent that lived with {_sizes(agent['spec'])}, but {where} has "
            f"{_sizes(describe(spec, ACTION_SPACES))}: load it for an environment of the same "
            f"spaces, or begin anew there with symla.load({str(path)!r}).agent(env)"
        )
    state = jax.tree.map(jnp.asarray, unflatten(fresh.state, "state", arrays, path))
    shapes = fresh.last._replace(final_observation=fresh.last.observation)._asdict()
    there = {name: like for name, like in shapes.items() if f"last/{name}" in arrays}
    last = unflatten(there, "last", arrays, path)
    unknown = fresh.last._replace(final_observation=None)
    return Memory(agent["seed"], agent["steps"], agent["acted"], state, unknown._replace(**last))


def _sizes(spec: dict[str, Any]) -> str:
    action = spec.get("action") or {}
    kind = "numbers in an action" if action.get("class") == "continuous" else "actions"
    shown = " (one-hot)" if spec.get("one_hot") else ""
    return f"{spec.get('observation_size')} observations{shown} and {action.get('size')} {kind}"
