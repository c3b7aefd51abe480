"""The rules that ship with the package: of which figure each is, and what its card says.

    python -m symla.experiments.shipped bandits

chooses among the meta-training seeds, tests the rule, and writes it with its card to `pretrained/`.
For those who maintain the package.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from symla.core.streams import Stream
from symla.environments import (
    Associations,
    Balance,
    Control,
    Environment,
    Gymnax,
    Hearts,
    IndependentBandit,
    MoreActions,
    Permuted,
    Projected,
    Rewards,
    Target,
    knows_regret,
    name_of,
)
from symla.evaluation.evaluation import of_episodes
from symla.evaluation.lifetime_sums import live
from symla.evaluation.statistics import estimate
from symla.experiments.explained import WHERE, write_explanation
from symla.experiments.figures import MORE_SEEDS, SEEDS
from symla.experiments.reproduce import figures
from symla.rules.loading import PRETRAINED, hand_made, load
from symla.rules.rule import Rule
from symla.runtime.provenance import revision

SEED = 2025  # of lifetimes that no figure tests and no training sees
LIFETIMES = 1000
EPISODE = "return of an episode"


@dataclass(frozen=True)
class Shipped:
    """Candidates from results/FIGURE/; where one of them is chosen, and where it is then tested:
    other environments, or where there are none (classic control) other lifetimes."""

    figure: str
    candidates: tuple[str, ...]
    summary: str
    choose_on: tuple[Environment, ...]
    tests: Mapping[str, Environment]
    length: int  # of a lifetime; the first of the tests is lived ten times as long, too
    beside: Literal["random", "thompson"]  # whom it has to beat, to be called good
    episodic: bool = False  # whether what counts is the return of an episode, not of a lifetime


SHIPPED = {
    "bandits": Shipped(
        figure="figure4",
        candidates=(
            *(f"symla-2-to-12-{seed}" for seed in SEEDS),
            *(f"symla-ppo-2-to-12-{seed}" for seed in MORE_SEEDS),
        ),
        summary="Independent arms, any number of them: trained on 2 to 12 arms.",
        choose_on=tuple(map(IndependentBandit, (3, 7, 16, 30))),
        tests={f"{arms} arms": IndependentBandit(arms) for arms in (10, 2, 5, 20, 50, 100)},
        length=100,
        beside="thompson",
    ),
    "gridworld": Shipped(
        figure="figure6",
        candidates=(
            *(f"symla-small-{seed}" for seed in SEEDS),
            *(f"symla-taught-3x3-{seed}" for seed in MORE_SEEDS),
        ),
        summary="Small grids seen cell by cell: learns from rewards, which come steps later, what "
        "to do about what it sees.",
        choose_on=(Hearts(2, 16), Hearts(4, 30), Associations(4, 4, 1)),
        tests={
            "hearts on 2 x 2": Hearts(2, 10),
            "hearts on 2 x 2, swapped": Rewards(Hearts(2, 10), swap=1.0),
            "hearts on 3 x 3": Hearts(),
            "target": Target(),
            "cartpole": Control("CartPole-v1"),
        },
        length=2000,
        beside="random",
    ),
    "transfer": Shipped(
        figure="figure7",
        candidates=tuple(f"symla-varied-{seed}" for seed in SEEDS),
        summary="Dense rewards on observations that mean nothing by themselves: trained on a grid "
        "world seen through random projections, with rewards of any scale, offset and delay.",
        choose_on=(Projected(Target(size=7)), Projected(Control("MountainCar-v0", progress=1.0))),
        tests={
            "target, projected": Projected(Target()),
            "balance, projected": Projected(MoreActions(Balance())),
            "balance": Balance(),
            "target": Target(),
            "catch, projected": Projected(Gymnax("Catch-bsuite")),
            "cartpole": Control("CartPole-v1"),
        },
        length=500,
        beside="random",
    ),
    "control": Shipped(
        figure="figure5",
        candidates=tuple(f"symla-control-{seed}" for seed in SEEDS),
        summary="Classic control, in any order of observations and actions.",
        choose_on=(Control("CartPole-v1"), Control("Acrobot-v1"), Control("MountainCar-v0")),
        tests={
            "cartpole": Control("CartPole-v1"),
            "cartpole, permuted": Permuted(Control("CartPole-v1")),
            "acrobot": Control("Acrobot-v1"),
            "mountain-car": Control("MountainCar-v0"),
            "balance": Balance(),
            "target": Target(),
        },
        length=500,
        beside="random",
    ),
    "cartpole": Shipped(
        figure="cartpole-as-made",
        candidates=tuple(f"symla-{seed}" for seed in MORE_SEEDS),
        summary="CartPole-v1 as Gymnasium makes it, with its raw observations and a reward of 1 in "
        "every step, in any order of observations and actions.",
        choose_on=(Gymnax("CartPole-v1"),),
        tests={
            "CartPole-v1": Gymnax("CartPole-v1"),
            "CartPole-v1, permuted": Permuted(Gymnax("CartPole-v1")),
            "Acrobot-v1": Gymnax("Acrobot-v1"),
        },
        length=2000,
        beside="random",
        episodic=True,
    ),
}


def ship(name: str, results: Path = Path("results")) -> Path:
    """Choose, test, and write the rule with its card. Returns where it is."""
    shipped = SHIPPED[name]
    folder = results / shipped.figure
    rules = {who: load(folder / f"{who}.safetensors") for who in shipped.candidates}

    best = choose(rules, shipped.choose_on, shipped.length, shipped.episodic)
    tests = [(where, env, shipped.length) for where, env in shipped.tests.items()]
    where, env, length = tests[0]
    tests.append((f"{where}, ten times as long", env, 10 * length))
    tested = {
        where: _test(rules[best], env, length, shipped.beside, shipped.episodic)
        for where, env, length in tests
    }
    judged = [_words(where, found) for where, found in tested.items()]
    card = {
        "summary": shipped.summary,
        "rule": f"{shipped.figure}/{best}",
        "chosen_on": ", ".join(map(repr, shipped.choose_on)),
        "tested": tested,
        # Command and revision of the card are of the training.
        "tested_by": {
            "command": f"python -m symla.experiments.shipped {name}",
            "revision": revision(),
        },
        "good": [text for text, holds in judged if holds],
        "not_good": [text for text, holds in judged if not holds],
        **_origin(shipped, best),
    }
    path = PRETRAINED / f"{name}.safetensors"
    rules[best].save(path, **card)
    return path


def choose(
    rules: Mapping[str, Rule],
    environments: Sequence[Environment],
    length: int,
    episodic: bool = False,
) -> str:
    """The rule with the best mean rank over environments: their scales are unlike, so what is
    earned there cannot be summed. Equal ranks share their mean; of equals the first is taken."""
    scores = np.array(
        [
            [_score(rule, e, length, Stream.CHOOSING, episodic).mean() for rule in rules.values()]
            for e in environments
        ]
    )
    below = (scores[:, None, :] < scores[:, :, None]).sum(axis=2)
    equal = (scores[:, None, :] == scores[:, :, None]).sum(axis=2) - 1
    return list(rules)[int(np.argmax((below + equal / 2).mean(axis=0)))]


def _score(
    rule: Rule, environment: Environment, length: int, stream: Stream, episodic: bool
) -> Float[np.ndarray, " lifetimes"]:
    """Of each lifetime; more is better: minus its regret, its return, or that of its episodes."""
    sums = live(rule, environment, LIFETIMES, length, SEED, stream)
    scores = sums.reward if sums.regret is None else -sums.regret
    total = scores.sum(axis=1, dtype=np.float64)
    return of_episodes(total, sums.ends) if episodic else total


def _test(
    rule: Rule, environment: Environment, length: int, beside: str, episodic: bool = False
) -> dict[str, Any]:
    """Intervals over lifetimes: the card speaks of one rule. The difference is paired by task."""
    known = hand_made(beside, environment, length)
    ours, theirs = (_score(r, environment, length, Stream.TESTING, episodic) for r in (rule, known))
    whole = EPISODE if episodic else "return"
    return {
        "environment": repr(environment),
        "measure": "minus regret" if knows_regret(environment) else whole,
        "length": length,
        "lifetimes": LIFETIMES,
        **asdict(estimate(ours)),
        beside: asdict(estimate(theirs)),
        "difference": asdict(estimate(ours - theirs)),
    }


def _words(where: str, tested: Mapping[str, Any]) -> tuple[str, bool]:
    """As the card says it; and whether the rule is clearly better there than what it must beat."""
    beside = "random" if "random" in tested else "thompson"
    other = tested[beside]
    regret = tested["measure"] == "minus regret"
    sign, what = (-1.0, "regret") if regret else (1.0, "reward")
    what += " of an episode" if tested["measure"] == EPISODE else ""
    text = (
        f"{where}: {what} {sign * tested['mean']:.1f} ± {tested['ci95']:.1f} in "
        f"{tested['length']} steps ({beside} {sign * other['mean']:.1f})"
    )
    return text, tested["difference"]["mean"] > tested["difference"]["ci95"]


def _origin(shipped: Shipped, who: str) -> dict[str, Any]:
    """Where it was trained, every rule that it was started from, and the steps of all of them."""
    recipes, lineage = figures()[shipped.figure].recipes(), [who]
    while recipes[lineage[0]].start:
        lineage.insert(0, recipes[lineage[0]].start)
    names = [name_of(environment) or repr(environment) for environment in recipes[who].environments]
    return {
        "trained_on": names[0],
        "mixture": names,
        "lineage": lineage,
        "environment_steps": sum(recipes[rule].environment_steps for rule in lineage),
    }


if __name__ == "__main__":
    for wanted in sys.argv[1:] or SHIPPED:
        print(ship(wanted))
        if wanted in WHERE:
            write_explanation(wanted)
