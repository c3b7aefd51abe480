"""Learning algorithms of all kinds in the same environments, from the first hundred steps, where
black boxes live, to a hundred thousand, where what learns by gradient does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from symla.algorithms import EPG, LPG, MAML, LearnsFromRollouts, MetaRNN, SymLA
from symla.core.errors import DivergenceError, SizeError
from symla.core.optimisers import Optimiser
from symla.environments import RandomTasks
from symla.environments.padding import padded
from symla.evaluation.statistics import Estimate, estimate, unpaired
from symla.experiments.figures import Verdict, claim_above
from symla.experiments.kept_lives import earned
from symla.experiments.recipes import Recipe
from symla.lifetimes.resolve import make
from symla.outer import (
    EvolutionStrategies,
    LifetimePPO,
    OuterLoop,
    PolicyGradient,
    Teacher,
    ThroughUpdates,
)
from symla.rules.loading import hand_made, load
from symla.rules.rule import Rule

TABULAR = RandomTasks(
    ("mdp",), states=8, observations=("one-hot",), irrelevant=0.0, aliased=0.0, altered=0.0,
    dense=0.0, noisy=0.0, slippery=0.0, ends=0.0,
)  # fmt: skip
# By kind of actions: what is trained on, then what is not, and the sizes to which both are padded
# for weights of one size.
WORLDS: dict[str, dict[str, Any]] = {
    "discrete": {
        "tabular MDP": TABULAR,
        "four arms": "bandit-arms-4",
        "CartPole": "cartpole",
        "delayed chain": "delayed-chain",
    },
    "continuous": {
        "navigation": "point-navigation,limit=1",
        "linear system": "linear-system",
        "double integrator": "double-integrator",
        "arm": "arm",
    },
}
SIZES = {"discrete": (8, 4), "continuous": (2, 2)}
BLACK_BOXES = "SymLA", "MetaRNN"
OTHERS = "MAML", "LPG", "EPG", "MetaGenRL", "REINFORCE", "PPO", "TD3", "Q-learning"
PPO = "ppo,units=(32,32),interval=50,workers=4,batch=50"  # of the sizes of other agents here
HAND_MADE = {
    "discrete": {
        "REINFORCE": "reinforce,preset=small",
        "PPO": PPO,
        "Q-learning": "q-learning",
        "random": "random",
    },
    "continuous": {
        "REINFORCE": "reinforce,preset=small",
        "PPO": PPO,
        "TD3": "td3,preset=small",
        "random": "random",
    },
}
SHIPPED = {"discrete": {"SymLA": "general"}, "continuous": {"MetaGenRL": "objective"}}
LIFETIMES = {True: 8, False: 64}  # of what learns from rollouts, and of all others
TEST_SEED = 31_000
EARLY, WHOLE = 1_600, 100_000  # steps of the two tests of each, whose lives begin alike
JUDGED = 1  # the early stretch that is judged, from step 100 to 200; the late one is the last
EDGES = {
    EARLY: (0, 100, 200, 400, 800, 1_600),
    WHOLE: (2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 100_000),
}


class OverSteps:
    """Reward a step of lifetimes [lifetimes, stretches], in stretches that grow."""

    def __init__(
        self, rewards: Float[np.ndarray, "lifetimes stretches"], edges: Sequence[tuple[int, int]]
    ):
        self.rewards, self.edges = rewards, tuple(edges)

    def gain(self, other: OverSteps, stretch: int) -> Estimate:
        """How much more than another one, in that stretch; over the second half of lifetimes,
        Welch's, as there may be more of one than of the other."""
        ours, theirs = (x.rewards[len(x.rewards) // 2 :, [stretch]] for x in (self, other))
        return unpaired(list(ours), list(theirs))

    def first_half(self, stretch: int) -> float:
        """The mean by which the best is chosen, over lifetimes that `gain` does not see."""
        return float(self.rewards[: len(self.rewards) // 2, stretch].mean())

    def to_json(self) -> dict[str, Any]:
        """Where stretches begin and end, and what is earned in them."""
        found = [estimate(column) for column in self.rewards.T]
        return {
            "edges": [list(pair) for pair in self.edges],
            "mean": [x.mean for x in found],
            "ci95": [x.ci95 for x in found],
            "lifetimes": len(self.rewards),
        }


@dataclass(frozen=True)
class AllLearners:
    """One meta-training of each; what ships stands for itself. So intervals are over lifetimes, and
    claims about these rules."""

    title = "learning algorithms of all kinds, from the first hundred steps to a hundred thousand"

    def recipes(self) -> dict[str, Recipe]:
        def of(
            name: str,
            algorithm: Any,
            worlds: Sequence[Any],
            outer: OuterLoop,
            generations: int,
            length: int,
            lifetimes: int = 1,
        ) -> tuple[str, Recipe]:
            where = tuple(map(make, worlds))
            return f"{name}-0", Recipe(algorithm, where, outer, lifetimes, length, generations, 0)

        def annealed(rate: float, generations: int) -> Optimiser:
            return Optimiser(rate, clip=1.0, decay_steps=generations)

        seen = {kind: _seen(kind) for kind in WORLDS}
        plain = [make(x) for x in list(WORLDS["continuous"].values())[:2]]
        maml = MAML(log_deviation=-1.2, later=0.25)
        falling = Optimiser(0.01, clip=1.0, decay_steps=1_500, decay_to=0.03)
        teacher = Teacher(4, falling, lifetime=512)
        through = {"every_update": True}
        return dict(
            [
                of(
                    "MetaRNN-discrete",
                    MetaRNN(64),
                    seen["discrete"],
                    PolicyGradient(8, annealed(0.004, 2_000), 0.9, 0.02, 64),
                    2_000, 200, 16,
                ),
                of(
                    "MAML-discrete",
                    MAML((64, 64)),
                    seen["discrete"],
                    ThroughUpdates(20, annealed(0.003, 400), **through),
                    400, 300,
                ),
                of(
                    "LPG-discrete",
                    LPG(workers=32),
                    [make("random-grids,size=4")],
                    ThroughUpdates(8, annealed(0.001, 300), lifetime=1_200),
                    300, 120,
                ),
                of("SymLA-continuous", SymLA(), plain, teacher, 1_500, 32, 16),
                of(
                    "MetaRNN-continuous",
                    MetaRNN(64),
                    seen["continuous"],
                    LifetimePPO(8, annealed(0.001, 600 * 16)),
                    600, 200, 16,
                ),
                of(
                    "MAML-continuous",
                    maml,
                    seen["continuous"],
                    ThroughUpdates(20, annealed(0.003, 400), **through),
                    400, 300,
                ),
                of(
                    "EPG-continuous",
                    EPG((32,), interval=20, workers=8, history=40,
                        optimizer=Optimiser(0.01)),
                    seen["continuous"],
                    EvolutionStrategies(
                        32, 0.2, Optimiser(0.02, decay_steps=300), sigma_decay_steps=300,
                        counted=0.2,
                    ),
                    300, 600, 8,
                ),
            ]
        )  # fmt: skip

    def measure(self, rules: Mapping[str, Rule], lifetimes: int, scale: float) -> dict[str, Any]:
        panels: dict[str, Any] = {}
        absent: dict[str, dict[str, str]] = {}
        costs: dict[str, Any] = {}
        for kind, worlds in WORLDS.items():
            methods = _methods(kind, rules)
            costs |= {f"{who}, {kind}": _cost(rule) for who, rule in methods.items()}
            for world, environment in worlds.items():
                panels[world], absent[world] = {}, {}
                for who, rule in methods.items():
                    try:
                        panels[world][who] = reached(rule, make(environment), scale)
                    except (SizeError, DivergenceError) as error:
                        absent[world][who] = str(error)
                    jax.clear_caches()  # thousands of programs are more than a process can map
        return {
            "kind": "growing",
            "lifetimes": {"learns from rollouts": LIFETIMES[True], "others": LIFETIMES[False]},
            "panels": panels,
            "absent": absent,
            "costs": {who: cost for who, cost in costs.items() if cost},
        }

    def verdicts(self, measured: Mapping[str, Any]) -> list[Verdict]:
        """Of the best of either kind: which is it early, and which late?"""
        found = []
        for world, lines in measured["panels"].items():
            last = len(lines["random"].edges) - 1
            for kind, best, others, at in (
                ("a black box", BLACK_BOXES, OTHERS, JUDGED),
                ("what is not a black box", OTHERS, BLACK_BOXES, last),
            ):
                first, second = (_best(lines, names, at) for names in (best, others))
                start, end = lines[first].edges[at]
                found.append(
                    claim_above(
                        f"{world}, steps {start:,} to {end:,}: {kind} ({first}) earns more than "
                        f"the best of the others ({second})",
                        lines[first].gain(lines[second], at),
                        digits=3,
                    )
                )
        return found


def _best(lines: Mapping[str, OverSteps], names: Sequence[str], at: int) -> str:
    """Who of these earns most in that stretch, in the first half of lifetimes."""
    there = [who for who in names if who in lines]
    return max(there, key=lambda who: lines[who].first_half(at))


def reached(rule: Rule, environment: Any, scale: float) -> OverSteps:
    """What it earns there. Raises SizeError where its weights are of other sizes."""
    lifetimes = LIFETIMES[isinstance(rule.algorithm, LearnsFromRollouts)]
    columns: list[Any] = []
    stretches: list[tuple[int, int]] = []
    for length, edges in EDGES.items():
        if scale < 1.0 and length == WHOLE:
            continue
        rewards, known = earned(rule, environment, lifetimes, length, TEST_SEED)
        total = np.cumsum(rewards, axis=1)
        total = np.concatenate([np.zeros((lifetimes, 1)), total], axis=1)
        at = np.stack([np.interp(edges, known, one) for one in total])
        columns.append(np.diff(at, axis=1) / np.diff(edges))
        stretches += pairwise(edges)
    return OverSteps(np.concatenate(columns, axis=1), stretches)


def _seen(kind: str) -> list[Any]:
    """What weights of one size are trained on."""
    return [padded(make(world), *SIZES[kind]) for world in list(WORLDS[kind].values())[:2]]


def _methods(kind: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """All that can have such actions, black boxes first."""
    own = {name.split("-")[0]: rule for name, rule in rules.items() if f"-{kind}-" in name}
    shipped = {who: load(name) for who, name in SHIPPED[kind].items()}
    by_hand = {who: hand_made(name) for who, name in HAND_MADE[kind].items()}
    found = own | shipped | by_hand
    order = [*BLACK_BOXES, *OTHERS, *found]
    return {who: found[who] for who in dict.fromkeys(order) if who in found}


def _cost(rule: Rule) -> dict[str, Any]:
    """Of its meta-training, as its card has it; nothing for what has none. Of a rule that was begun
    with another one it is the cost of the last stage."""
    training = rule.card.get("training", {})
    names = {"environment_steps": training, "seconds_of_training": rule.card}
    return {name: where[name] for name, where in names.items() if name in where}
