"""What makes manifests of an older schema those of the next."""

import re
from typing import Any


def to_schema_3(manifest: dict[str, Any]) -> dict[str, Any]:
    """Since schema 3 a class is named by "class", outer loops have an optimiser of their own, and
    the way random numbers follow from a seed has a number."""
    manifest = {"streams": 1, **manifest}
    if isinstance(manifest.get("algorithm"), dict):
        manifest["algorithm"] = _with_class(manifest["algorithm"])
    if isinstance(manifest.get("outer"), dict):
        manifest["outer"] = _with_optimiser(manifest["outer"])
    if isinstance(manifest.get("trained_on"), str):  # what `progress` of Control was called
        renamed = r"shaping=0.0, progress=\1"
        manifest["trained_on"] = re.sub(r"shaping=([0-9.]+)", renamed, manifest["trained_on"])
    training = manifest.get("training")
    if isinstance(training, dict) and isinstance(training.get("outer"), dict):
        manifest["training"] = training | {"outer": _with_optimiser(training["outer"])}
    return manifest


def to_schema_4(manifest: dict[str, Any]) -> dict[str, Any]:
    """Since schema 4 a spec says what its actions are; before, all were discrete."""
    spec = manifest.get("spec")
    if isinstance(spec, dict) and "action_size" in spec:
        rest = {key: value for key, value in spec.items() if key != "action_size"}
        action = {"class": "discrete", "size": spec["action_size"]}
        manifest = {**manifest, "spec": {**rest, "action": action}}
    return manifest


def _with_class(description: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in description.items() if key != "name"}
    return {"class": description.get("name"), **rest}


def _with_optimiser(outer: dict[str, Any]) -> dict[str, Any]:
    """The description of an outer loop that had learning rate, clipping and decay as its own."""
    old = _with_class(outer)
    decay = old.pop("annealing", 0)
    optimiser = {
        "learning_rate": old.pop("learning_rate", None),
        "clip": old.pop("clip", 0.0),
        "decay_steps": decay,
        "decay_to": 0.25,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
    }
    if optimiser["learning_rate"] is None:  # it stood at its default, which nothing here knows
        del optimiser["learning_rate"]
    if old["class"] == "evolution-strategies":
        old |= {"sigma_decay_steps": decay, "pairs_per_group": 1}
    return old | {"optimiser": optimiser}
