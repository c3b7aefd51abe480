"""Table 2 (and figures 3, 7, 8, 9): objectives trained on some worlds teach fresh agents in all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symla.algorithms import EPG, PPO, MetaRNN, Reinforce
from symla.core.optimisers import Optimiser
from symla.environments.padding import padded
from symla.experiments.figures import Verdict, claim_above
from symla.experiments.measures import show
from symla.experiments.metagenrl.left_out import PAPERS, papers_recipe
from symla.experiments.metagenrl.lessons import (
    FOLDER,
    IN_JAX,
    LONG,
    OBJECTIVES,
    SEEDS,
    SET,
    TRAINED,
    UNSEEN,
    WORLDS,
    gain,
    in_agents,
    others,
    recipe,
    rule_name,
)
from symla.experiments.recipes import Recipe
from symla.lifetimes.host import spec_of
from symla.lifetimes.resolve import make
from symla.outer import EvolutionStrategies, LifetimePPO
from symla.rules.rule import Rule

SETS = {SET: tuple(TRAINED)} | {world: (world,) for world in TRAINED}
REINFORCES = [name for name in OBJECTIVES if name.startswith("REINFORCE")]
PAPERS_REINFORCE = "REINFORCE, lambda 0.97"
OTHER_TEACHERS = "random objective", "advantage-weighted", "REINFORCE on policy"
# Agents of the same sizes that learn on policy, with 4 environments as the others have; 50 steps in
# each make a rollout.
ON_POLICY = {
    "REINFORCE on policy": Reinforce.presets["small"] | {"interval": 50, "workers": 4},
    "PPO": {"interval": 50, "workers": 4, "batch": 50, "discount": 0.97},
}
# Whose weights are of one size live where there is less, too: that of the largest world.
SIZES = 8, 2
KNOWN = 2  # observations of all that is trained on
# As long as the trainings of objectives take: about three minutes of a core.
EPG_GENERATIONS, RL2_GENERATIONS = 300, 600


def epg(seed: int) -> Recipe:
    """A loss, evolved in all three families in turn."""
    falling = Optimiser(0.02, decay_steps=EPG_GENERATIONS)
    outer = EvolutionStrategies(32, 0.2, falling, sigma_decay_steps=EPG_GENERATIONS, counted=0.2)
    learner = EPG((32, 32), interval=20, workers=4, history=40, discount=0.97,
                  optimizer=Optimiser(0.01))  # fmt: skip
    return Recipe(learner, _worlds(), outer, 4, 600, EPG_GENERATIONS, seed)


def rl2(seed: int) -> Recipe:
    """A MetaRNN by PPO over lifetimes of two episodes of the longest family."""
    steps = RL2_GENERATIONS * LifetimePPO.update_epochs * LifetimePPO.minibatches
    outer = LifetimePPO(8, Optimiser(0.001, clip=1.0, decay_steps=steps))
    return Recipe(MetaRNN(64), _worlds(), outer, 16, 200, RL2_GENERATIONS, seed)


def _worlds() -> tuple[Any, ...]:
    return tuple(padded(make(world), *SIZES) for world in TRAINED.values())


OTHERS = {"EPG": epg, "RL2": rl2}
LEARNED = f"learned, {SET}, {LONG} generations"


@dataclass(frozen=True)
class Table2:
    """Each set of worlds has five meta-trainings of the same number of generations, the whole set
    five by the paper's recipe and five long ones; EPG and RL^2 have five in all three families,
    that take as long as the short ones, with more steps in the environments."""

    title = "fresh agents that follow a learned objective: reward a step over their lives"
    rules_in = FOLDER

    def recipes(self) -> dict[str, Recipe]:
        found = {}
        for seed in SEEDS:
            for name, worlds in SETS.items():
                found[rule_name(name, seed)] = recipe(worlds, seed)
            found[f"papers-recipe-{seed}"] = papers_recipe(seed)
            found[rule_name(SET, seed, LONG)] = recipe(SETS[SET], seed, LONG)
            found |= {f"{name}-{seed}": of(seed) for name, of in OTHERS.items()}
        return found

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        methods = {LEARNED: [rules[rule_name(SET, seed, LONG)] for seed in SEEDS]}
        for name in SETS:
            methods[_short(name)] = [rules[rule_name(name, seed)] for seed in SEEDS]
        algorithm: Any = rules[rule_name(SET, 0)].algorithm
        published = (rules[f"papers-recipe-{seed}"] for seed in SEEDS)
        methods[PAPERS] = [in_agents(algorithm, rule) for rule in published]
        methods |= others(algorithm)
        units = {"units": algorithm.units}
        for name, kind in zip(ON_POLICY, (Reinforce, PPO)):
            learner = kind(**ON_POLICY[name] | units)
            methods[name] = [Rule(learner, (), {})] * len(SEEDS)
        methods |= {name: [rules[f"{name}-{seed}"] for seed in SEEDS] for name in OTHERS}
        return IN_JAX.panels(methods, WORLDS, scale)

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Paired over meta-training seeds; over the whole life of an agent."""
        lines, found = measured["panels"], []
        for world, own in lines.items():
            seen = "trained on" if world in TRAINED else "never seen"
            best = max(REINFORCES, key=lambda name: own[name].mean.estimate.mean)
            for other in dict.fromkeys((*OTHER_TEACHERS, PAPERS_REINFORCE, best)):
                known = ", its best" if other == best else ""
                found.append(
                    claim_above(
                        f"{world} ({seen}): all three teach more than {other}{known} "
                        f"({show(own[other].mean.estimate)})",
                        gain(own, LEARNED, other),
                    )
                )
        for world in TRAINED:
            found.append(
                claim_above(
                    f"{world}: trained on all three is better than on {world} alone",
                    gain(lines[world], _short(SET), _short(world)),
                )
            )
        for world in UNSEEN:
            best = max(TRAINED, key=lambda name: lines[world][_short(name)].mean.estimate.mean)
            found.append(
                claim_above(
                    f"{world}: trained on all three is better than on the best single one, {best}",
                    gain(lines[world], _short(SET), _short(best)),
                )
            )
        random = "random objective"
        for world in UNSEEN:
            for name in OTHERS:
                more = gain(lines[world], _short(SET), name)
                above = gain(lines[world], name, random)
                carries = f"above a {random}: {show(above)}"
                if spec_of(make(WORLDS[world])).observation_size > KNOWN:
                    carries += "; it sees inputs that were 0 while it was trained"
                claim = f"{world}: the learned objective teaches more than {name} ({carries})"
                found.append(claim_above(claim, more))
        return found


def _short(worlds: str) -> str:
    return f"learned, {worlds}"
