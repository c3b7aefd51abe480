"""From what a person names to a rule: shipped, hand-made, a run folder, or a checkpoint file."""

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from symla.algorithms import ALGORITHM_CLASSES, ALGORITHMS, HAND_MADE, BayesOptimal
from symla.algorithms.bandit_algorithms import MAX_HORIZON
from symla.core.errors import CheckpointError, SettingError, UnknownNameError, require
from symla.core.naming import parse
from symla.core.precision import in_float32
from symla.core.settings import with_settings
from symla.core.text import brief, typed
from symla.core.types import ACTION_SPACES, Discrete, Spec
from symla.environments import DependentBandit, Environment
from symla.rules.rule import Rule
from symla.store import (
    Checkpoint,
    RunFolder,
    describe,
    from_settings,
    load_checkpoint,
    rebuild,
    unflatten,
)

PRETRAINED = Path(str(files("symla.rules"))) / "pretrained"


def pretrained() -> dict[str, Path]:
    """The rules that ship with the package, by name."""
    return {path.stem: path for path in sorted(PRETRAINED.glob("*.safetensors"))}


def load(what: str | os.PathLike[str]) -> Rule:
    """The rule behind a shipped or hand-made name, a run folder, or a checkpoint file.

        rule = symla.load("bandits")                             # a learned learning algorithm
        print(symla.meta_test(rule, "bandit-arms-10").regret)     # meta-test it

    `symla.Rule` shows how to step one by hand. A run folder gives its newest checkpoint;
    "bayes-optimal" the plan for two independent arms and 100 pulls (`hand_made` makes others).
    Settings of a hand-made one stand after commas: "td3,batch=100,critic_optimizer.clip=1.0", and
    so may those of a learned one that do not change its meta-parameters: "RUN,preset=simulators".
    Raises UnknownNameError if nothing has that name, CheckpointError if it cannot be read.
    """
    name = os.fspath(what)
    is_name = isinstance(what, str) and (name in pretrained() or is_hand_made(name))
    if is_name and RunFolder(Path(name)).config_path.exists():
        raise SettingError(
            f"{name!r} is a rule that ships with symla, and a run folder here: "
            f"write {typed(Path(name))} for the folder"
        )
    if is_name and name in pretrained():
        return rule_from(load_checkpoint(pretrained()[name]))
    if is_name:
        return hand_made(name)
    path = Path(name)
    if "," in name and not path.exists():
        base, settings = parse(name)
        return _changed(load(base), settings, base)
    if path.is_dir():
        if not RunFolder(path).config_path.exists():
            raise CheckpointError(f"{path} is a folder, but not of a run: it has no config.json")
        return rule_from(RunFolder(path).newest_checkpoint())
    if path.exists() or path.suffix or len(path.parts) > 1:
        return rule_from(load_checkpoint(path))
    known = [*pretrained(), *HAND_MADE]
    raise UnknownNameError("rule", name, known, ", or the path of a run folder or a checkpoint")


def _changed(rule: Rule, settings: dict[str, Any], name: str) -> Rule:
    """The same meta-parameters in an algorithm of other settings."""
    algorithm = with_preset(rule.algorithm, settings, name)
    spec = from_settings(Spec, rule.card["spec"], Path(name), ACTION_SPACES)
    needed = jax.eval_shape(lambda: algorithm.init_params(jax.random.key(0), spec))
    sizes = [jax.tree.map(jnp.shape, params) for params in (needed, rule.params)]
    require(
        sizes[0] == sizes[1],
        f"{name}: its meta-parameters are of other sizes than {', '.join(settings)} would need",
    )
    described = describe(algorithm, ALGORITHM_CLASSES)
    return Rule(algorithm, rule.params, {**rule.card, "algorithm": described})


@in_float32
def rule_from(checkpoint: Checkpoint) -> Rule:
    """Raises CheckpointError if the arrays are not the ones that the manifest's algorithm needs."""
    arrays, manifest, path, _ = checkpoint
    if "algorithm" not in manifest:
        raise CheckpointError(f"the manifest of {path} lacks its algorithm: it is damaged")
    spec = from_settings(Spec, manifest.get("spec"), path, ACTION_SPACES)
    algorithm = rebuild(manifest["algorithm"], ALGORITHM_CLASSES, path)
    params = jax.eval_shape(lambda: algorithm.init_params(jax.random.key(0), spec))
    # A checkpoint of a training holds the state of its outer loop, the meta-parameters inside.
    name = "outer/params" if any(key.startswith("outer/") for key in arrays) else "params"
    if not jax.tree.leaves(params) and any(key.startswith(name) for key in arrays):
        raise CheckpointError(
            f"{path} holds meta-parameters, and {brief(algorithm)}, which its manifest names, has "
            "none: they are of another algorithm"
        )
    found = unflatten(params, name, arrays, path)
    return Rule(algorithm, jax.tree.map(jnp.asarray, found), manifest)


def is_hand_made(name: str) -> bool:
    """Whether that, perhaps with settings after it, names an algorithm that learns nothing before
    its lifetime."""
    return name.partition(",")[0].strip() in HAND_MADE


@in_float32
def hand_made(name: str, environment: Environment | None = None, length: int = 100) -> Rule:
    """A rule without learned meta-parameters, of the algorithm of that name.

    Settings stand after commas: "td3,preset=small,discount=0.95". Bayes-optimal play depends on the
    environment and the length of a lifetime, the others do not. Raises UnknownNameError and
    SettingError for settings that it does not have.
    """
    base, settings = parse(name)
    if ALGORITHMS[base] is BayesOptimal:
        dependent = isinstance(environment, DependentBandit)
        usual = {"horizon": 100 if dependent else length, "dependent": dependent}
        settings = usual | settings
    algorithm = with_preset(ALGORITHMS[base](), settings, base)
    spec = environment.spec if environment else Spec(1, Discrete(2))
    params = algorithm.init_params(jax.random.key(0), spec)
    return Rule(algorithm, params, {"algorithm": {"class": base}})


def with_preset(algorithm: Any, settings: dict[str, Any], name: str) -> Any:
    """The algorithm with these settings; "preset" names a set of others, which come first."""
    preset = settings.pop("preset", None)
    if preset is not None:
        presets = getattr(algorithm, "presets", {})
        if preset not in presets:
            hint = "" if presets else f"; {name} has none"
            raise UnknownNameError(f"preset of {name}", str(preset), presets, hint)
        algorithm = with_settings(algorithm, presets[preset], name)
    return with_settings(algorithm, settings, name)


def reference_rules(bandit: Environment, length: int) -> dict[str, Rule]:
    """The hand-made rules that can play this bandit for so many pulls, by name, worst first."""
    solvable = bandit.spec.action_size == 2 and length <= MAX_HORIZON
    names = ["random", "ucb1", "thompson", *["bayes-optimal"] * solvable]
    return {name: hand_made(name, bandit, length) for name in names}
