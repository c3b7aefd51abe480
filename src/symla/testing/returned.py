"""Checks of what the methods of an environment return, while they are traced."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from symla.core.types import Spec, Timestep
from symla.testing.subject import Subject, kind_of, kinds_of, named_leaves, values_of

TIMESTEP = f"Timestep({', '.join(Timestep._fields)})"


def task(subject: Subject) -> Callable[[Any], None]:
    """Of `sample_task`: any pytree of arrays."""
    return lambda result: check_arrays(subject, "sample_task", "task", result)


def start(subject: Subject, spec: Spec) -> Callable[[Any], None]:
    """Of `reset`: state and observation."""

    def look(result: Any) -> None:
        wanted = "it must return two values, state and observation"
        if not isinstance(result, tuple) or isinstance(result, Timestep) or len(result) != 2:
            raise subject.fault("reset", f"returns {values_of(result)}: {wanted}")
        state, observation = result
        if isinstance(observation, dict):
            raise subject.fault(
                "reset", f"returns observation and info, as one of Gymnasium's does: {wanted}"
            )
        _check_observation(subject, "reset", observation, spec)
        check_arrays(subject, "reset", "state", state)

    return look


def timestep(subject: Subject, spec: Spec) -> Callable[[Any], None]:
    """Of `step`: a Timestep."""

    def look(result: Any) -> None:
        if getattr(result, "_fields", None) != Timestep._fields:
            like = ", as one of Gymnasium's does" if _is_of_gymnasium(result) else ""
            raise subject.fault(
                "step", f"returns {values_of(result)}{like}: it must return {TIMESTEP} of symla"
            )
        _check_observation(subject, "step", result.observation, spec)
        _check_reward(subject, result.reward)
        for name in ("terminated", "truncated"):
            flag = getattr(result, name)
            if not (isinstance(flag, bool) or _is_array(flag, "bool", ())):
                raise subject.fault(
                    "step",
                    f"has {kind_of(flag)} for {name}: it must be one bool, such as steps >= 10 or "
                    "jnp.array(False)",
                )
        check_arrays(subject, "step", "state", result.state)

    return look


def regret(subject: Subject, spec: Spec) -> Callable[[Any], None]:
    """Of `regret` of all actions: as many numbers."""

    def look(result: Any) -> None:
        if not _is_array(result, "float32", (spec.action_size,)):
            raise subject.fault(
                "regret",
                f"returns {kind_of(result)} for {spec.action_size} actions: it must return a "
                "float32 number for each",
            )

    return look


def check_kept(
    subject: Subject, method: str, name: str, before: Any, after: Any, names: tuple[str, str]
) -> None:
    """Whether what is called `name` keeps its structure, shapes and types; `names` says from which
    methods both are."""
    one, other = names
    trees: list[Any] = [jax.tree.structure(x) for x in (before, after)]
    if trees[0] != trees[1]:
        raise subject.fault(
            method,
            f"changes the structure of its {name}: {kinds_of(before)} after {one}, "
            f"{kinds_of(after)} after {other}",
        )
    for (path, old), (_, new) in zip(named_leaves(before, name), named_leaves(after, name)):
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            raise subject.fault(
                method,
                f"changes its {name}: {path} is {kind_of(old)} after {one} and {kind_of(new)} "
                f"after {other}: keep its type, x.astype(jnp.{old.dtype}), and its shape",
            )


def check_arrays(subject: Subject, method: str, name: str, tree: Any) -> None:
    """Whether every leaf of a pytree is an array or a number."""
    for path, leaf in named_leaves(tree, name):
        if not (_is_array(leaf) or isinstance(leaf, bool | int | float)):
            kind = type(leaf)
            hint = f"if {kind.__name__} is a class of yours, make it a NamedTuple of arrays"
            if kind is str:
                hint = "number the cases instead"
            raise subject.fault(
                method, f"returns {kind_of(leaf)} ({path}) where only arrays can be: {hint}"
            )


def _check_observation(subject: Subject, method: str, observation: Any, spec: Spec) -> None:
    size = spec.observation_size
    if not _is_array(observation):
        raise subject.fault(
            method,
            f"has {kind_of(observation)} for its observation: it must be an array, "
            f"float32[{size}] as its spec says",
        )
    if observation.shape != (size,):
        raise subject.fault(
            method,
            f"has an observation of shape {observation.shape}, but its spec says "
            f"observation_size={size}, a vector of shape ({size},)",
        )
    if observation.dtype != np.float32:
        raise subject.fault(
            method,
            f"has an observation of {observation.dtype}: it must be float32, "
            "observation.astype(jnp.float32)",
        )


def _check_reward(subject: Subject, reward: Any) -> None:
    if isinstance(reward, float) or _is_array(reward, "float32", ()):
        return
    hint = ""
    if _is_array(reward) and reward.shape:
        hint = ", such as its sum" if reward.size != 1 else ", such as reward[0]"
    elif _is_array(reward):
        hint = ", reward.astype(jnp.float32)"
    raise subject.fault(
        "step", f"has {kind_of(reward)} for its reward: it must be one float32 number{hint}"
    )


def _is_array(x: Any, dtype: str | None = None, shape: tuple[int, ...] | None = None) -> bool:
    return (
        isinstance(x, jax.Array | np.ndarray | np.generic)
        and (dtype is None or x.dtype == dtype)
        and (shape is None or x.shape == shape)
    )


def _is_of_gymnasium(result: Any) -> bool:
    """Observation, reward, terminated, truncated, info; or with one flag, of the old Gym."""
    return isinstance(result, tuple) and len(result) in (4, 5) and isinstance(result[-1], dict)
