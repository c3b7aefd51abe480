"""Table 2 (and figures 3, 7, 8, 9): objectives trained on some worlds teach fresh agents in all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import PPO, Reinforce
from symla.experiments.figures import Verdict, claim_above
from symla.experiments.measures import show
from symla.experiments.metagenrl.lessons import (
    FOLDER,
    OBJECTIVES,
    SEEDS,
    TRAINED,
    UNSEEN,
    WORLDS,
    gain,
    others,
    panels,
    recipe,
)
from symla.experiments.recipes import Recipe
from symla.rules.rule import Rule

SETS = {"all": tuple(TRAINED)} | {world: (world,) for world in TRAINED}
REINFORCES = [name for name in OBJECTIVES if name.startswith("REINFORCE")]
PAPERS = "REINFORCE, lambda 0.97"
# Agents of the same sizes that learn on policy, with 4 environments as the others have; 50 steps in
# each make a rollout.
ON_POLICY = {
    "REINFORCE on policy": Reinforce.presets["small"] | {"interval": 50, "workers": 4},
    "PPO": {"interval": 50, "workers": 4, "batch": 50, "discount": 0.97},
}


@dataclass(frozen=True)
class Table2:
    """Each set of worlds has five meta-trainings of the same number of generations."""

    title = "fresh agents that follow a learned objective: reward a step over their lives"
    rules_in = FOLDER

    def recipes(self) -> dict[str, Recipe]:
        return {
            f"{name}-{seed}": recipe(worlds, seed)
            for name, worlds in SETS.items()
            for seed in SEEDS
        }

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        methods = {f"learned, {name}": [rules[f"{name}-{seed}"] for seed in SEEDS] for name in SETS}
        algorithm: Any = rules["all-0"].algorithm
        methods |= others(algorithm)
        units = {"units": algorithm.units}
        for name, kind in zip(ON_POLICY, (Reinforce, PPO)):
            learner = kind(**ON_POLICY[name] | units)
            methods[name] = [Rule(learner, (), {})] * len(SEEDS)
        return panels(methods, WORLDS, scale)

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Paired over meta-training seeds; over the whole life of an agent."""
        lines, found = measured["panels"], []
        for world, own in lines.items():
            seen = "trained on" if world in TRAINED else "never seen"
            best = max(REINFORCES, key=lambda name: own[name].mean.estimate.mean)
            for other in dict.fromkeys(("random objective", "advantage-weighted", PAPERS, best)):
                known = ", its best" if other == best else ""
                found.append(
                    claim_above(
                        f"{world} ({seen}): all three teach more than {other}{known} "
                        f"({show(own[other].mean.estimate)})",
                        gain(own, "learned, all", other),
                    )
                )
        for world in TRAINED:
            found.append(
                claim_above(
                    f"{world}: trained on all three is better than on {world} alone",
                    gain(lines[world], "learned, all", f"learned, {world}"),
                )
            )
        for world in UNSEEN:
            best = max(
                TRAINED, key=lambda name: lines[world][f"learned, {name}"].mean.estimate.mean
            )
            found.append(
                claim_above(
                    f"{world}: trained on all three is better than on the best single one, {best}",
                    gain(lines[world], "learned, all", f"learned, {best}"),
                )
            )
        return found
