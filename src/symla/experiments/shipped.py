"""The rules that ship with the package: of which figure each is, and what its card says.

    python -m symla.experiments.shipped bandits

chooses among the meta-training seeds, tests the rule, and writes it with its card to `pretrained/`.
Room: experiments. For those who maintain the package.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from symla.environments import (
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
from symla.evaluation.evaluate import Estimate, meta_test
from symla.rules.loading import PRETRAINED, export, hand_made, load
from symla.rules.rule import Rule

SEED = 2025  # of tasks that no figure tests and no training sees
LIFETIMES = 1000


@dataclass(frozen=True)
class Shipment:
    """Candidates from results/FIGURE/; where they are compared, in lifetimes that no figure tests
    and, but for control, in tasks that no training used; where the chosen one is tested."""

    figure: str
    candidates: tuple[str, ...]
    summary: str
    choose_on: tuple[Environment, ...]
    tests: Mapping[str, Environment]
    length: int  # of a lifetime; the first of the tests is lived ten times as long, too
    beside: Literal["random", "thompson"]  # whom it has to beat, to be called good


SHIPPED = {
    "bandits": Shipment(
        figure="figure4",
        candidates=tuple(f"symla-2-to-12-{seed}" for seed in range(3)),
        summary="Independent arms, any number of them: trained on 2 to 12 arms.",
        choose_on=tuple(map(IndependentBandit, (3, 7, 16, 30))),
        tests={f"{arms} arms": IndependentBandit(arms) for arms in (10, 2, 5, 20, 50, 100)},
        length=100,
        beside="thompson",
    ),
    "gridworld": Shipment(
        figure="figure6",
        candidates=("symla-small-2",),  # of three seeds the one that carries best to 3 x 3
        summary="Small grids and contextual bandits: learns from rewards, delayed ones too, what "
        "to do about what it sees.",
        choose_on=(),
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
    "transfer": Shipment(
        figure="figure7",
        candidates=tuple(f"symla-varied-{seed}" for seed in range(3)),
        summary="Dense rewards on observations that mean nothing by themselves: trained on a grid "
        "world seen through random projections, with rewards of any scale, offset and delay.",
        choose_on=(Projected(Target(size=7)), Projected(Control("MountainCar-v0", 1.0))),
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
    "control": Shipment(
        figure="figure5",
        candidates=tuple(f"symla-control-{seed}" for seed in range(3)),
        summary="Classic control, in any order of observations and actions.",
        choose_on=tuple(map(Control, ("CartPole-v1", "Acrobot-v1", "MountainCar-v0"))),
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
}


def ship(name: str, results: Path = Path("results")) -> Path:
    """Choose, test, and write the rule with its card. Returns where it is."""
    shipment = SHIPPED[name]
    folder = results / shipment.figure
    rules = {who: load(folder / f"{who}.safetensors") for who in shipment.candidates}

    def chosen_by(who: str) -> float:
        return sum(
            _signed(rules[who], environment, shipment.length).mean
            for environment in shipment.choose_on
        )

    best = max(rules, key=chosen_by)
    trials = [(where, world, shipment.length) for where, world in shipment.tests.items()]
    where, world, length = trials[0]
    trials.append((f"{where}, ten times as long", world, 10 * length))
    tested = {
        where: _test(rules[best], world, length, shipment.beside) for where, world, length in trials
    }
    judged = [_words(where, found) for where, found in tested.items()]
    card = {
        "summary": shipment.summary,
        "rule": f"{shipment.figure}/{best}",
        "chosen_on": ", ".join(map(repr, shipment.choose_on)),
        "tested": tested,
        "good": [text for text, holds in judged if holds],
        "not_good": [text for text, holds in judged if not holds],
        **_origin(shipment, best),
    }
    path = PRETRAINED / f"{name}.safetensors"
    export(rules[best], path, card)
    return path


def _signed(rule: Rule, environment: Environment, length: int) -> Estimate:
    """More is better."""
    found = meta_test(rule, environment, LIFETIMES, length, SEED)
    if found.regret is None:
        return found.return_
    return Estimate(-found.regret.mean, found.regret.ci95)


def _test(rule: Rule, environment: Environment, length: int, beside: str) -> dict[str, Any]:
    known = hand_made(beside, environment, length)
    ours, theirs = (_signed(r, environment, length) for r in (rule, known))
    return {
        "environment": repr(environment),
        "measure": "minus regret" if knows_regret(environment) else "return",
        "length": length,
        "lifetimes": LIFETIMES,
        "mean": ours.mean,
        "ci95": ours.ci95,
        beside: {"mean": theirs.mean, "ci95": theirs.ci95},
    }


def _words(where: str, tested: Mapping[str, Any]) -> tuple[str, bool]:
    """As the card says it; and whether the rule is clearly better there than what it must beat."""
    beside = "random" if "random" in tested else "thompson"
    other = tested[beside]
    regret = tested["measure"] == "minus regret"
    sign, what = (-1.0, "regret") if regret else (1.0, "reward")
    text = (
        f"{where}: {what} {sign * tested['mean']:.1f} ± {tested['ci95']:.1f} in "
        f"{tested['length']} steps ({beside} {sign * other['mean']:.1f})"
    )
    return text, tested["mean"] - tested["ci95"] > other["mean"] + other["ci95"]


def _origin(shipment: Shipment, who: str) -> dict[str, Any]:
    """Where it was trained, every rule that it was started from, and the steps of all of them."""
    from symla.experiments.reproduce import figures

    recipes, lineage = figures()[shipment.figure].recipes(), [who]
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
